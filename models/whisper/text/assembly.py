"""The transcript from what was heard."""

from collections.abc import Sequence

from models.media.messages import Finished
from models.whisper.progress import audio_facts
from models.whisper.text.segments import HeardWindow, segments_of
from models.whisper.transcription import Heard
from schemas.errors import EngineFailed
from schemas.options import Task, TranscribeOptions
from schemas.transcripts.joining import joined
from schemas.transcripts.transcript import (
    Provenance,
    QualityFlag,
    Segment,
    StageTiming,
    Transcript,
    TranscriptStatus,
    Usage,
)


def assemble(
    heard: Heard, options: TranscribeOptions, provenance: Provenance, *, started: float, ended: float
) -> Transcript:
    """``started`` and ``ended`` are monotonic seconds around the whole."""
    if heard.opened is None or heard.finished is None:
        raise EngineFailed("the record ended before it was decoded")
    windows = heard.windows()
    spoken = heard.spoken
    language = spoken.language if spoken else None
    said_in = "en" if options.task is Task.TRANSLATE else language
    segments = segments_of(windows, language=said_in, with_words=options.word_timestamps)
    return Transcript(
        status=TranscriptStatus.COMPLETED if segments else TranscriptStatus.NO_SPEECH,
        task=options.task,
        language=language if segments else None,
        language_probability=spoken.probability if spoken and segments else None,
        all_language_probs=spoken.guesses if spoken and segments else (),
        text=_text(windows, segments),
        segments=segments,
        flags=_flags(windows, heard.finished),
        options=options,
        audio=audio_facts(heard, heard.opened),
        provenance=provenance,
        timing=_timing(heard, heard.finished, started=started, ended=ended),
        usage=Usage(
            audio_seconds=heard.finished.audio_seconds,
            inference_seconds=round(heard.tally.inference_seconds + heard.tally.alignment_seconds, 4),
            windows=len(windows),
            decoded_tokens=heard.tally.decoded_tokens,
        ),
    )


def _text(windows: Sequence[HeardWindow], segments: Sequence[Segment]) -> str:
    """Mixed audio: the windows' texts; split channels: turn by turn, in the order of time."""
    if any(segment.channel is not None for segment in segments):
        return joined(segment.text for segment in segments)
    return joined(window.decoded.text for window in windows if window.decoded is not None)


def _flags(windows: Sequence[HeardWindow], finished: Finished) -> tuple[QualityFlag, ...]:
    raised = {flag for window in windows for flag in window.flags}
    if finished.downmix_replaced:
        raised.add(QualityFlag.DOWNMIX_REPLACED)
    raised |= {QualityFlag.AUDIO_INCOMPLETE} if finished.incomplete else set()
    return tuple(flag for flag in QualityFlag if flag in raised)


def _timing(heard: Heard, finished: Finished, *, started: float, ended: float) -> StageTiming:
    return StageTiming(
        queue_seconds=round(max(0.0, (heard.opened_at or started) - started), 4),
        decode_seconds=round(finished.decode_seconds, 4),
        vad_seconds=round(finished.vad_seconds, 4),
        features_seconds=round(finished.features_seconds, 4),
        inference_seconds=round(heard.tally.inference_seconds, 4),
        alignment_seconds=round(heard.tally.alignment_seconds, 4) if heard.tally.alignment_seconds else None,
        total_seconds=round(ended - started, 4),
    )
