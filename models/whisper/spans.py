"""Spans of one transcription: of its decoding, and of the model's calls that it had rows in.

::

    transcribe ─┬─ decode ─── speech detection      in the decoder's process; both run while windows are heard
                └─ hear ───── align                 one span for all calls; each call is an event of it

A call hears windows of many jobs, so it has no span of its own: an event for each job that it served tells how
large it was, how long it took and how many of its rows were the job's.
"""

from dataclasses import dataclass
from typing import Final

from models.media.messages import DecodeFinished
from models.whisper.rows import Call, Heard, Row
from models.whisper.state import TranscriptionState
from schemas.monitoring.active_span import ActiveSpan
from schemas.monitoring.spans import AttributeValue


@dataclass(slots=True)
class _Share:
    """One job's part of a call."""

    rows: int = 0
    queued_seconds: float = 0.0
    alignment_seconds: float = 0.0


DECODED: Final = "kascribe.decoded_seconds"


class TranscriptionSpans:
    """Writes the spans of one transcription. The caller's thread alone; ``end`` exactly once."""

    def __init__(self, transcribing: ActiveSpan) -> None:
        self._transcribing = transcribing
        self._decode = transcribing.child("decode")
        self._detect: ActiveSpan | None = None
        self._hear: ActiveSpan | None = None
        self._shares: dict[Call, _Share] = {}

    def on_opened(self, *, detects_speech: bool) -> None:
        """Note that the decoder has read the container."""
        self._decode.event("opened")
        if detects_speech:
            self._detect = self._decode.child("speech detection")

    def on_decoded(self, finished: DecodeFinished) -> None:
        """Note that the file is decoded to its end. Seconds are those of the decoder's work."""
        if self._detect is not None:
            self._detect.set(
                {
                    "kascribe.busy_seconds": finished.vad_seconds,
                    "kascribe.speech_seconds": finished.speech_seconds,
                }
            )
            self._detect.end()
        self._decode.set(
            {
                "kascribe.busy_seconds": finished.decode_seconds,
                "kascribe.features_seconds": finished.features_seconds,
                DECODED: finished.decoded_seconds,
                "kascribe.broken_packets": finished.broken_packets,
            }
        )
        self._decode.end()

    def on_submitted(self) -> None:
        """Note that a window waits for the model; the first one begins the span."""
        if self._hear is None:
            self._hear = self._transcribing.child("hear")

    def on_heard(self, row: Row, heard: Heard) -> None:
        """Note a row's result."""
        if row.call is None:
            return
        share = self._shares.setdefault(row.call, _Share())
        share.rows += 1
        share.queued_seconds += row.call.begun_at - row.queued_at
        if heard.alignment is not None:
            share.alignment_seconds = heard.alignment_seconds * row.call.rows

    def end(self, state: TranscriptionState, error: BaseException | None) -> None:
        """End all spans, after the last row or with what ended the transcription before it."""
        for open_span in (self._detect, self._decode):
            if open_span is not None and state.finished is None:
                if error is not None:
                    open_span.fail(error)
                open_span.end()
        if self._hear is None:
            return
        calls = sorted(self._shares.items(), key=lambda entry: entry[0].ended_at)
        for call, share in calls:
            self._hear.event(
                "batch",
                {
                    "kascribe.batch.job_rows": share.rows,
                    "kascribe.batch.rows": call.rows,
                    "kascribe.batch.seconds": call.seconds,
                    "kascribe.batch.queue_seconds": share.queued_seconds / share.rows,
                    "kascribe.batch.replica": call.replica,
                },
                at=call.ended_at,
            )
        self._align(self._hear)
        self._hear.set(_totals(state, [share for _, share in calls]))
        if error is not None:
            self._hear.fail(error)
        self._hear.end()

    def _align(self, hear: ActiveSpan) -> None:
        """Measure word times: the end of the calls that aligned, from the first to the last of them."""
        aligned = [(call, share) for call, share in self._shares.items() if share.alignment_seconds]
        if not aligned:
            return
        began = min(call.ended_at - share.alignment_seconds for call, share in aligned)
        busy = sum(share.alignment_seconds for _, share in aligned)
        align = hear.child("align", started_at=began, attributes={"kascribe.busy_seconds": busy})
        align.end(at=max(call.ended_at for call, _ in aligned))


def _totals(state: TranscriptionState, shares: list[_Share]) -> dict[str, AttributeValue]:
    rows = sum(share.rows for share in shares)
    return {
        "kascribe.batches": len(shares),
        "kascribe.rows": rows,
        "kascribe.windows": len(state.results()),
        "kascribe.decoded_tokens": state.usage.decoded_tokens,
        "kascribe.inference_seconds": state.usage.inference_seconds,
        "kascribe.queue_seconds": sum(share.queued_seconds for share in shares) / max(1, rows),
    }
