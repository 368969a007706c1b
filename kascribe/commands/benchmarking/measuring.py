"""The runs of a benchmark: many files on the bulk lane, and a short one on the interactive lane."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kascribe.commands.benchmarking.figures import Observed, Transcribed
from kascribe.commands.benchmarking.recorder import Recorder
from schemas.clock import Clock
from schemas.errors import JobCancelled, JobError
from schemas.options import Lane, TranscribeOptions

if TYPE_CHECKING:
    from models.whisper.transcriber import Transcriber

INTERACTIVE_FILES: Final = 10
"""Requests of the interactive lane in each of its runs, fewer where they take too long."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The bulk run; latencies of the interactive lane alone and beside bulk work; files that failed, with why."""

    bulk: Observed
    alone: Sequence[Transcribed]
    beside: Sequence[Transcribed]
    failures: Mapping[Path, JobError | OSError]


class Measurer:
    """Transcribes the files again and again. ``on_phase`` is told what begins; the caller's thread calls it."""

    def __init__(
        self,
        transcriber: "Transcriber",
        options: TranscribeOptions,
        recorder: Recorder,
        *,
        clock: Clock,
        on_phase: Callable[[str], None],
    ) -> None:
        self._transcriber = transcriber
        self._options = options
        self._recorder = recorder
        self._clock = clock
        self._on_phase = on_phase
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._failures: dict[Path, JobError | OSError] = {}
        self._audio_seconds: dict[Path, float] = {}

    def run(self, paths: Sequence[Path], *, files_at_once: int, seconds: float) -> Measured:
        """Run all phases; each file is transcribed once at least. Blocks for ``seconds`` and more.

        Raises the error of the first file when no file can be transcribed. Ctrl-C stops it within a second.
        """
        try:
            self._on_phase("warming up")
            self._transcriber.warm_up()
            self._transcribe(paths[0], Lane.BULK)
            self._on_phase("many files at once")
            self._recorder.start()
            ends_at = self._clock.monotonic() + seconds
            self._transcribe_many(paths, files_at_once, lambda: self._clock.monotonic() < ends_at)
            bulk = self._recorder.observed()
            readable = [path for path in paths if path in self._audio_seconds]
            if not readable:
                raise next(iter(self._failures.values()))
            shortest = min(readable, key=lambda path: self._audio_seconds[path])
            self._on_phase("one short file after the other")
            alone = self._transcribe_repeatedly(shortest, seconds / 3)
            self._on_phase("one short file after the other, beside many")
            beside = self._beside(readable, shortest, files_at_once, seconds / 3)
        finally:
            self._stopped.set()
        return Measured(bulk, alone, beside, self._failures)

    def _beside(
        self, paths: Sequence[Path], shortest: Path, files_at_once: int, seconds: float
    ) -> list[Transcribed]:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(self._transcribe_many, paths, files_at_once, lambda: True)
            try:
                return self._transcribe_repeatedly(shortest, seconds)
            finally:
                self._stopped.set()

    def _transcribe_repeatedly(self, path: Path, seconds: float) -> list[Transcribed]:
        ends_at = self._clock.monotonic() + seconds
        found: list[Transcribed] = []
        while not found or (len(found) < INTERACTIVE_FILES and self._clock.monotonic() < ends_at):
            transcribed = self._transcribe(path, Lane.INTERACTIVE)
            if transcribed is None:
                break
            found.append(transcribed)
        return found

    def _transcribe_many(self, paths: Sequence[Path], at_once: int, more: Callable[[], bool]) -> None:
        """Transcribe every file once, and then again for as long as ``more`` says so."""
        taken = 0

        def next_path() -> Path | None:
            nonlocal taken
            with self._lock:
                number, taken = taken, taken + 1
            is_wanted = number < len(paths) or more()
            return paths[number % len(paths)] if is_wanted and not self._stopped.is_set() else None

        def work() -> None:
            while (path := next_path()) is not None:
                if path not in self._failures:
                    transcribed = self._transcribe(path, Lane.BULK)
                    if transcribed is not None:
                        self._recorder.add(transcribed)
                elif len(self._failures) == len(paths):
                    return

        with ThreadPoolExecutor(at_once, thread_name_prefix="bench") as threads:
            try:
                for worker in [threads.submit(work) for _ in range(at_once)]:
                    worker.result()
            except BaseException:
                self._stopped.set()
                raise

    def _transcribe(self, path: Path, lane: Lane) -> Transcribed | None:
        started_at = self._clock.monotonic()
        try:
            transcript = self._transcriber.transcribe(
                path, self._options, lane=lane, cancelled=self._stopped.is_set
            )
        except JobCancelled:
            return None
        except (JobError, OSError) as error:
            with self._lock:
                self._failures.setdefault(path, error)
            return None
        audio_seconds = transcript.audio.audio_duration_seconds
        with self._lock:
            self._audio_seconds[path] = audio_seconds
        return Transcribed(audio_seconds, self._clock.monotonic() - started_at)
