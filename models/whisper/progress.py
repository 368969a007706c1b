"""Progress reports to the caller while a record is transcribed."""

from collections.abc import Callable
from dataclasses import dataclass

from models.whisper.state import TranscriptionState, audio_facts
from schemas.transcripts.joining import join_texts
from schemas.transcripts.transcript import AudioFacts


@dataclass(frozen=True, slots=True)
class Progress:
    """Text since the last report, and the fraction of the audio done (None while its length is unknown)."""

    fraction: float | None
    text: str


class ProgressReporter:
    """Reports each text once, in the order of the audio, whatever the order in which results arrive."""

    def __init__(self, on_progress: Callable[[Progress], None], on_audio: Callable[[AudioFacts], None]) -> None:
        self._on_progress = on_progress
        self._on_audio = on_audio
        self._opened_reported = self._finished_reported = False
        self._reported_units = 0
        self._fraction = 0.0

    def update(self, state: TranscriptionState) -> None:
        """Call back with everything that is new since the last update."""
        if state.opened is not None and not self._opened_reported:
            self._opened_reported = True
            self._on_audio(audio_facts(state, state.opened))
        if state.finished is not None and state.opened is not None and not self._finished_reported:
            self._finished_reported = True
            self._on_audio(audio_facts(state, state.opened))
        first = self._reported_units
        while self._reported_units < len(state.units) and state.units[self._reported_units].is_done:
            self._reported_units += 1
        if self._reported_units > first:
            self._report(state, first)

    def _report(self, state: TranscriptionState, first: int) -> None:
        units = state.units[first : self._reported_units]
        results = [leaf.result for unit in units for leaf in unit.leaves()]
        texts = (result.decoded.text for result in results if result is not None and result.decoded is not None)
        text = join_texts(texts)
        total_seconds = state.opened.declared_seconds if state.opened else None
        if state.finished is not None:
            total_seconds = state.finished.audio_seconds
        if not total_seconds:
            self._on_progress(Progress(None, text))
            return
        all_reported = state.finished is not None and self._reported_units == len(state.units)
        reached = 1.0 if all_reported else max(unit.window.end_seconds for unit in units) / total_seconds
        self._fraction = min(1.0, max(self._fraction, reached))
        self._on_progress(Progress(self._fraction, text))
