"""The representations of a finished transcript: every export, our own body, and the shapes of other services."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, TypeVar

from producers.gateway.failures import RequestRefused
from producers.results import ResultStore
from schemas.events import TranscriptEvent
from schemas.options import ExportFormat
from schemas.results import StoredJob
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Transcript
from schemas.transcripts.vendors.aws import aws_result
from schemas.transcripts.vendors.deepgram import deepgram_response
from schemas.transcripts.vendors.words import has_all_words

JSON_TYPE: Final = "application/json"

Found = TypeVar("Found", bytes, Transcript)


class TranscriptFormat(StrEnum):
    """Representations of a transcript: ``full`` is Kascribe's own, with all that is known of it."""

    FULL = "full"
    JSON = "json"
    VERBOSE_JSON = "verbose_json"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    TSV = "tsv"
    AWS = "aws"
    DEEPGRAM = "deepgram"


VENDORS: Final[Mapping[TranscriptFormat, Callable[[Transcript, TranscriptEvent], dict[str, Any]]]] = {
    TranscriptFormat.AWS: aws_result,
    TranscriptFormat.DEEPGRAM: deepgram_response,
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A body and its content type."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Representations:
    """Renders transcripts. Safe to share between threads; ``render`` blocks."""

    results: ResultStore
    subtitles: SubtitleSettings

    def etag(self, finished: StoredJob, wanted: TranscriptFormat) -> str:
        """Return a weak entity tag (RFC 9110, section 8.8.3): the same for the same words in the same format."""
        parts = (
            finished.job_id,
            finished.content_key,
            finished.event.occurred_at.isoformat(),
            wanted.value,
            self.subtitles.model_dump_json(),
            version("kascribe"),
        )
        return f'W/"{sha256(" ".join(parts).encode()).hexdigest()[:32]}"'

    def render(self, finished: StoredJob, wanted: TranscriptFormat) -> Rendered:
        """Return the transcript of a finished job.

        Raises RequestRefused when its body is gone, or lacks the words that the format is made of; DependencyDown.
        """
        if wanted is TranscriptFormat.FULL:
            return Rendered(_present(self.results.read_transcript(finished.content_key)), JSON_TYPE)
        transcript = _present(self.results.find_transcript(finished.content_key))
        if wanted in VENDORS:
            _refuse_without_words(transcript, wanted)
            shaped = VENDORS[wanted](transcript, finished.event)
            return Rendered(json.dumps(shaped, ensure_ascii=False).encode(), JSON_TYPE)
        exporter = EXPORTERS[ExportFormat(wanted.value)]
        return Rendered(exporter.render(transcript, self.subtitles).encode(), exporter.content_type)


def _present(found: Found | None) -> Found:
    if found is None:
        raise RequestRefused(
            HTTPStatus.GONE,
            "transcript_gone",
            "the transcript is no longer in the bucket: delete the job and request it again",
        )
    return found


def _refuse_without_words(transcript: Transcript, wanted: TranscriptFormat) -> None:
    if not has_all_words(transcript):
        raise RequestRefused(
            HTTPStatus.CONFLICT,
            "words_missing",
            f"as={wanted.value} is made of words with their times, and this job was done without: request it with "
            "word_timestamps=true, under another key; as=verbose_json and as=full have the times of segments",
        )
