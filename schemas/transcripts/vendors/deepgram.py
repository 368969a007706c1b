"""The response of Deepgram's ``POST /v1/listen`` for prerecorded audio. Pure.

Source: Deepgram's API reference, and ``ListenV1Response`` of its Python SDK 7. Given as with ``utterances=true``,
``paragraphs=true`` and ``punctuate=true``. ``request_id`` is the job's id, and a model's version is the digest of
its files. There is one alternative, and speakers are not told apart.
"""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Final

from schemas.events import TranscriptEvent
from schemas.transcripts.joining import join_texts
from schemas.transcripts.transcript import Transcript
from schemas.transcripts.vendors.words import (
    SpokenSegment,
    SpokenWord,
    channel_count,
    is_split,
    mean_probability,
    spoken_segments,
)

PARAGRAPH_PAUSE_SECONDS: Final = 2.0
"""A pause from which the next segment begins a paragraph."""

PARAGRAPH_SENTENCES: Final = 5
"""Most segments of a paragraph; each is given as a sentence."""


def deepgram_response(transcript: Transcript, event: TranscriptEvent) -> dict[str, Any]:
    """Return the whole response. The transcript must have its words: see ``has_all_words``."""
    segments = spoken_segments(transcript)
    channels, multilingual = channel_count(transcript), _is_multilingual(transcript)
    return {
        "metadata": _metadata(event, channels),
        "results": {
            "channels": [
                _channel(transcript, [segment for segment in segments if segment.channel == channel])
                for channel in range(channels)
            ],
            "utterances": [_utterance(event.job_id, segment, multilingual=multilingual) for segment in segments],
        },
    }


def _metadata(event: TranscriptEvent, channels: int) -> dict[str, Any]:
    made = event.provenance
    return {
        "transaction_key": "deprecated",
        "request_id": event.job_id,
        "sha256": event.source.sha256,
        "created": event.occurred_at.isoformat().replace("+00:00", "Z"),
        "duration": event.audio_duration_seconds,
        "channels": channels,
        "models": [made.model],
        "model_info": {made.model: {"name": made.model, "version": made.model_sha256, "arch": made.engine}},
    }


def _channel(transcript: Transcript, segments: Sequence[SpokenSegment]) -> dict[str, Any]:
    words = [word for segment in segments for word in segment.words]
    multilingual = _is_multilingual(transcript)
    text = join_texts(segment.text for segment in segments) if is_split(transcript) else transcript.text
    alternative = {
        "transcript": text,
        "confidence": round(mean_probability(words), 6),
        **({"languages": _languages(segments)} if multilingual else {}),
        "words": [each for segment in segments for each in _words(segment, multilingual=multilingual)],
        "paragraphs": _paragraphs(segments),
    }
    detected: dict[str, Any] = {}
    if transcript.options.language is None and transcript.language is not None:
        detected = {"detected_language": transcript.language}
        if transcript.language_probability is not None:
            detected["language_confidence"] = transcript.language_probability
    return {"alternatives": [alternative], **detected}


def _words(segment: SpokenSegment, *, multilingual: bool) -> Iterator[dict[str, Any]]:
    for word in segment.words:
        language = {"language": segment.language} if multilingual and segment.language else {}
        yield _word(word) | language


def _word(word: SpokenWord) -> dict[str, Any]:
    return {
        "word": (word.content or word.marks).lower(),
        "start": word.start,
        "end": word.end,
        "confidence": round(word.probability, 6),
        "punctuated_word": word.punctuated,
    }


def _utterance(job_id: str, segment: SpokenSegment, *, multilingual: bool) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "confidence": round(segment.confidence, 6),
        "channel": segment.channel,
        "transcript": segment.text,
        "words": list(_words(segment, multilingual=multilingual)),
        # The same each time, as everything about a finished job.
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{job_id}/{segment.id}")),
    }


def _paragraphs(segments: Sequence[SpokenSegment]) -> dict[str, Any]:
    groups = list(_grouped(segments))
    return {
        "transcript": "\n\n".join(join_texts(segment.text for segment in group) for group in groups),
        "paragraphs": [
            {
                "sentences": [{"text": one.text, "start": one.start, "end": one.end} for one in group],
                "num_words": sum(len(one.words) for one in group),
                "start": group[0].start,
                "end": group[-1].end,
            }
            for group in groups
        ],
    }


def _grouped(segments: Sequence[SpokenSegment]) -> Iterator[list[SpokenSegment]]:
    group: list[SpokenSegment] = []
    for segment in segments:
        pauses = bool(group) and segment.start - group[-1].end >= PARAGRAPH_PAUSE_SECONDS
        if pauses or len(group) == PARAGRAPH_SENTENCES:
            yield group
            group = []
        group.append(segment)
    if group:
        yield group


def _is_multilingual(transcript: Transcript) -> bool:
    return bool(transcript.options.multilingual)


def _languages(segments: Sequence[SpokenSegment]) -> list[str]:
    """Return the languages by their number of words, the most frequent first."""
    counts: dict[str, int] = {}
    for segment in segments:
        if segment.language:
            counts[segment.language] = counts.get(segment.language, 0) + len(segment.words)
    return sorted(counts, key=lambda language: -counts[language])
