"""Text that subscribers read while its audio is still being transcribed."""

import threading
from typing import Final

from consumers.progress import JobProgress, RateLimit
from consumers.transcriber.ports import EngineProgress
from schemas.clock import Clock
from schemas.events import Phase
from schemas.transcripts.joining import join_texts, needs_space

TEXT_LIMIT_CHARACTERS: Final = 4_000
"""Length of one report. Text beyond it appears in the transcript only."""


class InterimText:
    """Reports the engine's text at a limited rate. Thread-safe: the engine calls from its own threads.

    ``is_in_order``: the texts, joined, are the beginning of the transcript, so each has an offset in its text.
    """

    def __init__(self, progress: JobProgress, *, clock: Clock, is_in_order: bool = True) -> None:
        self._progress = progress
        self._is_in_order = is_in_order
        self._rate_limit = RateLimit(clock)
        self._lock = threading.Lock()
        self._unreported = ""
        self._fraction: float | None = None
        self._reported_characters = 0
        self._last_character = ""

    def on_progress(self, progress: EngineProgress) -> None:
        """Add the text since the last call; report it if the last report is old enough."""
        with self._lock:
            self._fraction = progress.fraction
            self._unreported = join_texts((self._unreported, progress.text))
            if not self._rate_limit.try_acquire():
                return
            text, offset = self._take()
        self._progress.report(Phase.TRANSCRIBING, fraction=self._fraction, text=text, text_offset=offset)

    def flush(self) -> None:
        """Report the text that is not reported yet, if there is any."""
        with self._lock:
            text, offset = self._take()
        if text:
            self._progress.report(Phase.TRANSCRIBING, fraction=self._fraction, text=text, text_offset=offset)

    def _take(self) -> tuple[str | None, int | None]:
        """Return the unreported text and its offset in the transcript's text."""
        text, self._unreported = self._unreported, ""
        if not text:
            return None, None
        is_separate = bool(self._last_character) and needs_space(self._last_character, text[0])
        offset = self._reported_characters + is_separate
        self._reported_characters, self._last_character = offset + len(text), text[-1]
        return text[:TEXT_LIMIT_CHARACTERS], offset if self._is_in_order else None
