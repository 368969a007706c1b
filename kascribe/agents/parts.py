"""Parts of transcripts and of other long texts, each of a bounded size. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.options import ExportFormat
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Segment, Transcript

MARK_CHARACTERS: Final = 60
"""Counted for each segment beside its text: times, numbers and line feeds of the longest form."""


class Form(StrEnum):
    """How a transcript is written."""

    TIMED = "timed"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"


@dataclass(frozen=True, slots=True)
class Part:
    """Some segments, and the id of the first one behind them; None at the end."""

    segments: Sequence[Segment]
    next_segment: int | None


def part_of(
    transcript: Transcript,
    *,
    first_segment: int,
    start_seconds: float,
    end_seconds: float | None,
    limit_characters: int,
) -> Part:
    """Return the segments within the range of seconds, from one on, up to the limit; at least one."""
    end = float("inf") if end_seconds is None else end_seconds
    left = [
        segment
        for segment in transcript.segments
        if segment.id >= first_segment and segment.end > start_seconds and segment.start < end
    ]
    taken, characters = 0, 0
    for segment in left:
        characters += len(segment.text) + MARK_CHARACTERS
        if taken and characters > limit_characters:
            break
        taken += 1
    return Part(left[:taken], left[taken].id if taken < len(left) else None)


def rendered(transcript: Transcript, part: Part, form: Form) -> str:
    """Write the segments of a part in a form."""
    if form is Form.TIMED:
        return "\n".join(_timed(segment) for segment in part.segments)
    text = " ".join(segment.text.strip() for segment in part.segments)
    chosen = transcript.model_copy(update={"segments": tuple(part.segments), "text": text})
    return EXPORTERS[ExportFormat(form.value)].render(chosen, SubtitleSettings())


def cut(text: str, first_character: int, limit_characters: int) -> tuple[str, int | None]:
    """Return a part of a text, and where the rest begins; None at the end."""
    end = first_character + limit_characters
    return text[first_character:end], end if end < len(text) else None


def _timed(segment: Segment) -> str:
    minutes, seconds = divmod(segment.start, 60)
    hours, minutes = divmod(int(minutes), 60)
    clock = f"{hours}:{minutes:02}:{seconds:04.1f}" if hours else f"{minutes}:{seconds:04.1f}"
    channel = f" channel {segment.channel}" if segment.channel is not None else ""
    return f"[{clock}{channel}] {segment.text.strip()}"
