"""Transcription of many files with one model: the next ones are decoded while the engine works on the first."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kascribe.sources.arguments import Source
from schemas.errors import JobError
from schemas.options import Lane, TranscribeOptions
from schemas.transcripts.transcript import Transcript

if TYPE_CHECKING:
    from models.whisper.transcriber import Transcriber

OnFraction = Callable[[Source, float | None], None]


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A source with its transcript, or with why it has none."""

    source: Source
    transcript: Transcript | None = None
    error: JobError | OSError | None = None


class Batch:
    """Transcribes ``at_once`` files at a time. ``on_fraction`` is called from its threads, and must not block."""

    def __init__(
        self, transcriber: "Transcriber", options: TranscribeOptions, *, at_once: int, on_fraction: OnFraction
    ) -> None:
        self._transcriber = transcriber
        self._options = options
        self._at_once = at_once
        self._on_fraction = on_fraction
        self._stopped = threading.Event()

    def run(self, sources: Sequence[Source]) -> Generator[Transcribed, None, None]:
        """Yield each source as it is done, in their order. Blocks; what is running ends when the caller stops."""
        waiting = deque(sources)
        running: deque[Future[Transcribed]] = deque()
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="transcribe") as threads:
            try:
                while waiting or running:
                    # At most so many are ahead: a transcript that nothing has read yet takes memory.
                    while waiting and len(running) < self._at_once:
                        running.append(threads.submit(self._transcribe, waiting.popleft()))
                    yield running.popleft().result()
            finally:
                self._stopped.set()

    def _transcribe(self, source: Source) -> Transcribed:
        try:
            transcript = self._transcriber.transcribe(
                Path(source.location),
                self._options,
                on_progress=lambda progress: self._on_fraction(source, progress.fraction),
                cancelled=self._stopped.is_set,
                lane=Lane.BULK if self._at_once > 1 else Lane.INTERACTIVE,
            )
        except (JobError, OSError) as error:
            return Transcribed(source, error=error)
        return Transcribed(source, transcript)
