"""Export formats of transcripts, for other tools. Pure."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from schemas.options import ExportFormat
from schemas.results import EXPORT_EXTENSIONS
from schemas.transcripts.intervals import lengthen, milliseconds
from schemas.transcripts.subtitles.characters import strip_controls
from schemas.transcripts.subtitles.cues import Cue, cues
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Segment, Transcript, Word

SEEK_FRAMES_PER_SECOND: Final = 100
"""OpenAI counts ``seek`` in Whisper's frames of 10 ms."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """One format: its renderer, its content type and its file extension. Only srt and vtt use the settings."""

    render: Callable[[Transcript, SubtitleSettings], str]
    content_type: str
    extension: str


def to_json(transcript: Transcript, _: SubtitleSettings) -> str:
    """Render OpenAI's ``json``: the text and the usage. The stored body has the whole transcript."""
    return _dump(brief(transcript.text, audio_duration_seconds=transcript.audio.audio_duration_seconds))


def brief(text: str, *, audio_duration_seconds: float) -> dict[str, Any]:
    """Return the fields of OpenAI's ``json``, for which an event suffices."""
    return {"text": text, "usage": usage(audio_duration_seconds)}


def usage(audio_duration_seconds: float) -> dict[str, Any]:
    """Return OpenAI's ``usage`` of models that are billed by duration, in whole seconds."""
    return {"type": "duration", "seconds": ceil(audio_duration_seconds)}


def to_verbose_json(transcript: Transcript, _: SubtitleSettings) -> str:
    """Render OpenAI's ``verbose_json``; ``language`` is the code. Token ids are not stored: ``tokens`` is []."""
    return _dump(verbose(transcript))


def verbose(transcript: Transcript) -> dict[str, Any]:
    """Return the fields of OpenAI's ``verbose_json``, with the words if they have been timed."""
    body: dict[str, Any] = {
        "task": transcript.task.value,
        "language": transcript.language,
        "duration": transcript.audio.audio_duration_seconds,
        "text": transcript.text,
        "segments": [
            _verbose_segment(segment, times)
            for segment, times in zip(transcript.segments, _lengthened_seconds(transcript.segments), strict=True)
        ],
    }
    if transcript.options.word_timestamps:
        body["words"] = list(_verbose_words(transcript.segments))
    return body | {"usage": usage(transcript.audio.audio_duration_seconds)}


def to_text(transcript: Transcript, _: SubtitleSettings) -> str:
    """Render the text alone, with a line feed at its end."""
    return plain(transcript.text)


def plain(text: str) -> str:
    """Return a transcript's text as a file of plain text."""
    return f"{strip_controls(text).strip()}\n"


def to_srt(transcript: Transcript, subtitles: SubtitleSettings) -> str:
    """Render SubRip: numbered cues, times with a comma, blank lines between."""
    return "".join(
        f"{number}\n{_time(cue.start_ms, ',')} --> {_time(cue.end_ms, ',')}\n{_srt_text(cue)}\n\n"
        for number, cue in enumerate(cues(transcript.segments, subtitles), 1)
    )


def to_vtt(transcript: Transcript, subtitles: SubtitleSettings) -> str:
    """Render WebVTT: the text escaped, channels as voices."""
    blocks = (
        f"{_time(cue.start_ms, '.')} --> {_time(cue.end_ms, '.')}\n{_vtt_text(cue)}\n\n"
        for cue in cues(transcript.segments, subtitles)
    )
    return "WEBVTT\n\n" + "".join(blocks)


def to_tsv(transcript: Transcript, _: SubtitleSettings) -> str:
    """Render tab-separated values: start and end in whole milliseconds, and one segment's text per line."""
    times = lengthen(milliseconds(segment.start, segment.end) for segment in transcript.segments)
    rows = (
        f"{start}\t{end}\t{' '.join(strip_controls(segment.text).split())}\n"
        for segment, (start, end) in zip(transcript.segments, times, strict=True)
    )
    return "start\tend\ttext\n" + "".join(rows)


def _exporter(
    export_format: ExportFormat, render: Callable[[Transcript, SubtitleSettings], str], content_type: str
) -> Exporter:
    return Exporter(render, content_type, EXPORT_EXTENSIONS[export_format])


EXPORTERS: Final[Mapping[ExportFormat, Exporter]] = {
    ExportFormat.JSON: _exporter(ExportFormat.JSON, to_json, "application/json"),
    ExportFormat.VERBOSE_JSON: _exporter(ExportFormat.VERBOSE_JSON, to_verbose_json, "application/json"),
    ExportFormat.TEXT: _exporter(ExportFormat.TEXT, to_text, "text/plain; charset=utf-8"),
    ExportFormat.SRT: _exporter(ExportFormat.SRT, to_srt, "application/x-subrip; charset=utf-8"),
    ExportFormat.VTT: _exporter(ExportFormat.VTT, to_vtt, "text/vtt; charset=utf-8"),
    ExportFormat.TSV: _exporter(ExportFormat.TSV, to_tsv, "text/tab-separated-values; charset=utf-8"),
}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lengthened_seconds(timed: Sequence[Segment] | Sequence[Word]) -> list[tuple[float, float]]:
    # A transcript stored by an earlier version may have words or segments of zero length.
    times = lengthen(milliseconds(one.start, one.end) for one in timed)
    return [(start / 1000, end / 1000) for start, end in times]


def _verbose_words(segments: Sequence[Segment]) -> Iterator[dict[str, Any]]:
    spoken: defaultdict[int | None, list[Word]] = defaultdict(list)
    for segment in segments:
        spoken[segment.channel].extend(segment.words or ())
    times = {channel: iter(_lengthened_seconds(words)) for channel, words in spoken.items()}
    for segment in segments:
        for word in segment.words or ():
            start, end = next(times[segment.channel])
            yield {"word": word.word.strip(), "start": start, "end": end}


def _verbose_segment(segment: Segment, times: tuple[float, float]) -> dict[str, Any]:
    return {
        "id": segment.id,
        "seek": round(times[0] * SEEK_FRAMES_PER_SECOND),
        "start": times[0],
        "end": times[1],
        "text": segment.text,
        "tokens": [],
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _time(milliseconds: int, separator: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{rest:03}"


def _srt_text(cue: Cue) -> str:
    # SubRip has no escape; an arrow in the text would read as a time line.
    text = "\n".join(cue.lines).replace("-->", "->")
    return text if cue.channel is None else f"[{cue.channel}] {text}"


def _vtt_text(cue: Cue) -> str:
    text = "\n".join(cue.lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text if cue.channel is None else f"<v Channel {cue.channel}>{text}"
