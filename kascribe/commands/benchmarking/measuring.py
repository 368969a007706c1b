"""The runs of a benchmark: many files on the bulk lane, and a short one on the interactive lane."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kascribe.commands.benchmarking.figures import Observed, Transcribed
from kascribe.commands.benchmarking.recorder import Recorder
from schemas.clock import Clock
from schemas.errors import JobCancelled, JobError
from schemas.options import Lane, TranscribeOptions

if TYPE_CHECKING:
    from models.whisper.progress import Progress
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


def _never() -> bool:
    return False


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
        self._failures: dict[Path, JobError | OSError] = {}
        self._audio_seconds: dict[Path, float] = {}
        self._fractions: dict[int, tuple[Path, float]] = {}  # heard of what each thread works on

    def run(self, paths: Sequence[Path], *, files_at_once: int, seconds: float) -> Measured:
        """Run all phases; each file is transcribed once at least. Blocks for ``seconds`` and more.

        The bulk run ends after ``seconds``, or when each file was done once, whichever is later. Until then files
        are repeated (not where ``seconds`` are 0), so that its end is as busy as its beginning.

        Raises the error of the first file when no file can be transcribed. Ctrl-C stops it within a second.
        """
        self._on_phase("warming up")
        self._transcriber.warm_up()
        self._transcribe(paths[0], Lane.BULK)
        self._on_phase("many files at once")
        self._transcribe_bulk(paths, files_at_once, seconds)
        readable = [path for path in paths if path in self._audio_seconds]
        if not readable:
            raise next(iter(self._failures.values()))
        shortest = min(readable, key=lambda path: self._audio_seconds[path])
        self._on_phase("one short file after the other")
        self._transcribe(shortest, Lane.INTERACTIVE)  # while calls end that the bulk run began
        bulk = self._recorder.observed()
        alone = self._transcribe_repeatedly(shortest, seconds / 3)
        self._on_phase("one short file after the other, beside many")
        beside = self._beside(readable, shortest, files_at_once, seconds / 3)
        return Measured(bulk, alone, beside, self._failures)

    def _transcribe_bulk(self, paths: Sequence[Path], files_at_once: int, seconds: float) -> None:
        each_done, ended = threading.Event(), threading.Event()
        self._recorder.start()
        ends_at = self._clock.monotonic() + seconds
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(
                self._transcribe_many, paths, files_at_once, ended, each_done, repeats=seconds > 0
            )
            running.add_done_callback(lambda _: each_done.set())
            try:
                each_done.wait()
                wait([running], timeout=max(0.0, ends_at - self._clock.monotonic()))
                self._recorder.end(unfinished_audio_seconds=self._unfinished_audio_seconds())
            finally:
                ended.set()
            running.result()

    def _unfinished_audio_seconds(self) -> float:
        with self._lock:
            return sum(
                fraction * self._audio_seconds.get(path, 0.0) for path, fraction in self._fractions.values()
            )

    def _beside(
        self, paths: Sequence[Path], shortest: Path, files_at_once: int, seconds: float
    ) -> list[Transcribed]:
        ended = threading.Event()
        with ThreadPoolExecutor(1) as thread:
            thread.submit(self._transcribe_many, paths, files_at_once, ended, threading.Event(), repeats=True)
            try:
                return self._transcribe_repeatedly(shortest, seconds)
            finally:
                ended.set()

    def _transcribe_repeatedly(self, path: Path, seconds: float) -> list[Transcribed]:
        ends_at = self._clock.monotonic() + seconds
        found: list[Transcribed] = []
        while not found or (len(found) < INTERACTIVE_FILES and self._clock.monotonic() < ends_at):
            transcribed = self._transcribe(path, Lane.INTERACTIVE)
            if transcribed is None:
                break
            found.append(transcribed)
        return found

    def _transcribe_many(
        self,
        paths: Sequence[Path],
        at_once: int,
        ended: threading.Event,
        each_done: threading.Event,
        *,
        repeats: bool,
    ) -> None:
        """Transcribe every file once, then set ``each_done``; with ``repeats``, go on until ``ended`` is set."""
        taken = done = 0

        def next_number() -> int | None:
            nonlocal taken
            with self._lock:
                number, taken = taken, taken + 1
            return number if (number < len(paths) or repeats) and not ended.is_set() else None

        def work() -> None:
            nonlocal done
            while (number := next_number()) is not None:
                path = paths[number % len(paths)]
                try:
                    if path not in self._failures:
                        transcribed = self._transcribe(path, Lane.BULK, ended.is_set)
                        if transcribed is not None:
                            self._recorder.add(transcribed)
                    elif len(self._failures) == len(paths):
                        return
                finally:
                    with self._lock:
                        done += number < len(paths)
                        if done == len(paths):
                            each_done.set()

        with ThreadPoolExecutor(at_once, thread_name_prefix="bench") as threads:
            try:
                for worker in [threads.submit(work) for _ in range(at_once)]:
                    worker.result()
            except BaseException:
                ended.set()
                raise

    def _transcribe(self, path: Path, lane: Lane, cancelled: Callable[[], bool] = _never) -> Transcribed | None:
        started_at = self._clock.monotonic()
        worker = threading.get_ident()

        def on_progress(progress: "Progress") -> None:
            with self._lock:
                self._fractions[worker] = (path, progress.fraction or 0.0)

        try:
            transcript = self._transcriber.transcribe(
                path, self._options, lane=lane, on_progress=on_progress, cancelled=cancelled
            )
        except JobCancelled:
            return None
        except (JobError, OSError) as error:
            with self._lock:
                self._failures.setdefault(path, error)
            return None
        finally:
            with self._lock:
                self._fractions.pop(worker, None)
        audio_seconds = transcript.audio.audio_duration_seconds
        with self._lock:
            self._audio_seconds[path] = audio_seconds
        return Transcribed(audio_seconds, self._clock.monotonic() - started_at)
