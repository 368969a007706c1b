"""Assembly of the transcript from the results of all windows."""

from collections.abc import Sequence

from models.media.messages import DecodeFinished
from models.whisper.languages.detection import longest_spoken
from models.whisper.state import TranscriptionState, audio_facts
from models.whisper.text.segments import WindowResult, segments_of
from schemas.errors import EngineFailed
from schemas.options import Task, TranscribeOptions
from schemas.transcripts.joining import join_texts
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
    state: TranscriptionState,
    options: TranscribeOptions,
    provenance: Provenance,
    *,
    started_at: float,
    ended_at: float,
) -> Transcript:
    """Build the transcript. ``started_at`` and ``ended_at`` are monotonic seconds around the whole call.

    Raises EngineFailed when the file was not decoded to its end.
    """
    if state.opened is None or state.finished is None:
        raise EngineFailed("the record ended before it was decoded")
    results = state.results()
    spoken = longest_spoken(state.units) if options.multilingual else state.language
    language = spoken.code if spoken else None
    text_language = "en" if options.task is Task.TRANSLATE else language
    segments = segments_of(results, language=text_language, with_words=options.word_timestamps)
    return Transcript(
        status=TranscriptStatus.COMPLETED if segments else TranscriptStatus.NO_SPEECH,
        task=options.task,
        language=language if segments else None,
        language_probability=spoken.probability if spoken and segments else None,
        all_language_probs=spoken.guesses if spoken and segments else (),
        text=_text(results, segments),
        segments=segments,
        flags=_flags(results, state.finished),
        options=options,
        audio=audio_facts(state, state.opened),
        provenance=provenance,
        timing=_timing(state, state.finished, started_at=started_at, ended_at=ended_at),
        usage=Usage(
            audio_seconds=state.finished.audio_seconds,
            inference_seconds=round(state.usage.inference_seconds + state.usage.alignment_seconds, 4),
            windows=len(results),
            decoded_tokens=state.usage.decoded_tokens,
        ),
    )


def _text(results: Sequence[WindowResult], segments: Sequence[Segment]) -> str:
    """Join the windows' texts (mixed audio), or the segments of all channels in time order (split channels)."""
    if any(segment.channel is not None for segment in segments):
        return join_texts(segment.text for segment in segments)
    return join_texts(result.decoded.text for result in results if result.decoded is not None)


def _flags(results: Sequence[WindowResult], finished: DecodeFinished) -> tuple[QualityFlag, ...]:
    raised = {flag for result in results for flag in result.flags}
    if finished.downmix_replaced:
        raised.add(QualityFlag.DOWNMIX_REPLACED)
    if finished.incomplete:
        raised.add(QualityFlag.AUDIO_INCOMPLETE)
    return tuple(flag for flag in QualityFlag if flag in raised)


def _timing(
    state: TranscriptionState, finished: DecodeFinished, *, started_at: float, ended_at: float
) -> StageTiming:
    usage = state.usage
    return StageTiming(
        queue_seconds=round(max(0.0, (state.opened_at or started_at) - started_at), 4),
        decode_seconds=round(finished.decode_seconds, 4),
        vad_seconds=round(finished.vad_seconds, 4),
        features_seconds=round(finished.features_seconds, 4),
        inference_seconds=round(usage.inference_seconds, 4),
        alignment_seconds=round(usage.alignment_seconds, 4) if usage.alignment_seconds else None,
        total_seconds=round(ended_at - started_at, 4),
    )
