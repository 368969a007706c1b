"""Text that subscribers read while its audio is still being transcribed."""

import threading
from typing import Final

from consumers.progress import JobProgress, RateLimit
from consumers.transcriber.ports import EngineProgress
from schemas.clock import Clock
from schemas.events import Phase
from schemas.transcripts.joining import join_texts

TEXT_LIMIT_CHARACTERS: Final = 4_000
"""Length of one report. Text beyond it appears in the transcript only."""


class InterimText:
    """Reports the engine's text at a limited rate. Thread-safe: the engine calls from its own threads."""

    def __init__(self, progress: JobProgress, *, clock: Clock) -> None:
        self._progress = progress
        self._rate_limit = RateLimit(clock)
        self._lock = threading.Lock()
        self._unreported = ""
        self._fraction: float | None = None

    def on_progress(self, progress: EngineProgress) -> None:
        """Add the text since the last call; report it if the last report is old enough."""
        with self._lock:
            self._fraction = progress.fraction
            self._unreported = join_texts((self._unreported, progress.text))
            if not self._rate_limit.try_acquire():
                return
            text = self._take()
        self._progress.report(Phase.TRANSCRIBING, fraction=self._fraction, text=text)

    def flush(self) -> None:
        """Report the text that is not reported yet, if there is any."""
        with self._lock:
            text = self._take()
        if text:
            self._progress.report(Phase.TRANSCRIBING, fraction=self._fraction, text=text)

    def _take(self) -> str | None:
        text, self._unreported = self._unreported[:TEXT_LIMIT_CHARACTERS], ""
        return text or None
