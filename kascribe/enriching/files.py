"""Transcripts in files: ours, OpenAI's ``verbose_json`` and ``json``, or text with a segment a line."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from consumers.enricher.transcripts import segments_of
from consumers.s3 import BODY_LIMIT_BYTES
from schemas.errors import ConfigurationError
from schemas.transcripts.transcript import Segment, Transcript

AUDIO_HINT: Final = "of audio, `kascribe transcribe FILE --as json` makes a transcript"


@dataclass(frozen=True, slots=True)
class SpokenText:
    """The segments of a transcript and their language, where it is known."""

    segments: tuple[Segment, ...]
    language: str | None = None


class _Export(BaseModel):
    text: str
    language: str | None = None
    segments: tuple[Segment, ...] = ()


def read_transcript(path: Path) -> SpokenText:
    """Read a transcript. Raises ConfigurationError, which says what the file is instead, and OSError."""
    text = _text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    spoken = _from_json(path, found) if isinstance(found, dict | list) else SpokenText(_lines(text.splitlines()))
    if not any(segment.text.strip() for segment in spoken.segments):
        raise ConfigurationError(f"{path} has no words, so there is nothing to ask the language model about")
    return spoken


def _text(path: Path) -> str:
    if path.is_dir():
        raise ConfigurationError(f"{path} is a directory: name one transcript file in it")
    with path.open("rb") as file:
        body = file.read(BODY_LIMIT_BYTES + 1)
    if not body:
        raise ConfigurationError(f"{path} is empty (0 bytes): see whether it was written to its end")
    if len(body) > BODY_LIMIT_BYTES:
        raise ConfigurationError(f"{path} is larger than {BODY_LIMIT_BYTES} bytes, which no transcript is")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path} is neither a transcript's JSON nor UTF-8 text (byte {error.start} is not); {AUDIO_HINT}"
        ) from error
    if "\0" in text:
        raise ConfigurationError(
            f"{path} is neither a transcript's JSON nor text (it has NUL bytes); {AUDIO_HINT}"
        )
    return text


def _from_json(path: Path, found: Any) -> SpokenText:
    try:
        transcript = Transcript.model_validate(found)
    except ValidationError:
        export = _export(path, found)
        return SpokenText(export.segments or _lines([export.text]), export.language)
    return SpokenText(segments_of(transcript), transcript.language)


def _export(path: Path, found: Any) -> _Export:
    try:
        return _Export.model_validate(found)
    except ValidationError as error:
        raise ConfigurationError(
            f"{path} is JSON, but no transcript of ours, and neither OpenAI's verbose_json nor json"
        ) from error


def _lines(lines: Iterable[str]) -> tuple[Segment, ...]:
    words = (line.strip() for line in lines)
    return tuple(Segment(id=n, start=0.0, end=0.0, text=line) for n, line in enumerate(filter(None, words)))
