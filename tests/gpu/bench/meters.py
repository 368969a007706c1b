"""Meters: the audio heard, the calls that ran, the use of the card."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tests.benchmarks.long_files.memory import MIB, children, proportional_bytes

CALLS: Final = frozenset({"encode", "generate", "align", "detect_language"})
SAMPLES: Final = 400
"""Points of the line that is fitted to the audio heard."""
SAMPLE_MILLISECONDS: Final = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the engine. ``rows``: the windows that it decoded, 0 for a call of another kind."""

    start: float
    end: float
    rows: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A meter's figures of an interval."""

    times_real_time: float
    windows_per_second: float
    busy: float
    calls_under_way: float
    rows_per_call: float | None


class Meter:
    """Collects what a row hears and calls, from any thread. Times are those of ``time.perf_counter``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: list[tuple[float, float]] = []
        self._calls: list[Call] = []

    def heard(self, audio_seconds: float) -> None:
        """Count audio that was transcribed just now; none is no event."""
        if audio_seconds > 0:
            with self._lock:
                self._heard.append((time.perf_counter(), audio_seconds))

    def called(self, start: float, end: float, rows: int) -> None:
        """Record a call that has ended."""
        with self._lock:
            self._calls.append(Call(start, end, rows))

    def count(self, since: float) -> int:
        """Return how often audio was heard since a time."""
        with self._lock:
            return sum(at > since for at, _ in self._heard)

    def reading(self, since: float, until: float) -> Reading:
        """Return the figures of an interval whose calls have all ended."""
        with self._lock:
            heard, calls = list(self._heard), list(self._calls)
        seconds = until - since
        decoding = [call for call in calls if call.rows and since < call.end <= until]
        rows = sum(call.rows for call in decoding)
        inside = [
            (max(call.start, since), min(call.end, until))
            for call in calls
            if call.end > since and call.start < until
        ]
        return Reading(
            times_real_time=fitted_slope(heard, since, until),
            windows_per_second=rows / seconds,
            busy=covered_seconds(inside) / seconds,
            calls_under_way=sum(end - start for start, end in inside) / seconds,
            rows_per_call=rows / len(decoding) if decoding else None,
        )


def covered_seconds(intervals: Sequence[tuple[float, float]]) -> float:
    """Return the time that at least one interval covers."""
    covered, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered


def fitted_slope(heard: Sequence[tuple[float, float]], since: float, until: float) -> float:
    """Fit a line to the audio heard so far; return its slope.

    Audio is heard in steps of a whole batch. The difference of the ends would depend on which steps lie inside.
    """
    if not heard:
        return 0.0
    times = np.array([at for at, _ in sorted(heard)])
    totals = np.concatenate([[0.0], np.cumsum([seconds for _, seconds in sorted(heard)])])
    points = np.linspace(since, until, SAMPLES)
    slope, _ = np.polyfit(points - since, totals[np.searchsorted(times, points, side="right")], 1)
    return float(slope)


class TimedCalls:
    """Stands before a CTranslate2 model and reports each call's time to the meter that is set."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.meter = Meter()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        return self._timed(name, value) if name in CALLS else value

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                rows = int(arguments[0].shape[0]) if name == "generate" else 0
                self.meter.called(start, time.perf_counter(), rows)

        return call


class Card:
    """Samples the card's utilisation and memory through nvidia-smi; has no samples where there is none."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, float, int]] = []
        self._process: subprocess.Popen[str] | None = None
        if shutil.which("nvidia-smi"):
            command = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
            command += ["--id=0", f"--loop-ms={SAMPLE_MILLISECONDS}"]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        if self._process is None or self._process.stdout is None:
            return
        for line in self._process.stdout:
            if sample := parsed_sample(line):
                self._samples.append((time.perf_counter(), *sample))

    def reading(self, since: float, until: float) -> tuple[float | None, int | None]:
        """Return the mean utilisation, 0 to 1, and the largest memory in MiB; None without samples."""
        inside = [(share, mib) for at, share, mib in list(self._samples) if since <= at <= until]
        if not inside:
            return None, None
        return sum(share for share, _ in inside) / len(inside), max(mib for _, mib in inside)

    def close(self) -> None:
        """End nvidia-smi."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def parsed_sample(line: str) -> tuple[float, int] | None:
    """Return utilisation, 0 to 1, and MiB of a line of nvidia-smi; None for any other line."""
    try:
        percent, mib = (float(value) for value in line.split(","))
    except ValueError:
        return None
    return percent / 100, int(mib)


def host_mib() -> int:
    """Return the memory of this process and its children now."""
    own = os.getpid()
    return sum(map(proportional_bytes, (own, *children(own)))) // MIB


@dataclass(frozen=True, slots=True)
class Interval:
    """When a row was measured, and what its threads did wrong."""

    since: float
    until: float
    cpu_cores: float
    host_mib: int
    problem: str


LEAD_IN_SHARE: Final = 0.2
LEAD_IN_SECONDS: Final = 3.0
"""At most so long the first files fill the pipeline; it counts for nothing."""
LEAST_TIMES_HEARD: Final = 5
POLL_SECONDS: Final = 0.02


def run_threads(
    work: Callable[[threading.Event], None],
    heard: Callable[[float], int],
    *,
    threads: int,
    seconds: float,
    longest_seconds: float,
) -> Interval:
    """Run ``work`` in threads until its event is set, and return the interval to read.

    The interval has ``seconds``, or more until something was ``heard`` in it a few times, but ends before
    ``longest_seconds`` after the start. Blocks until all threads have ended.
    """
    stop = threading.Event()
    problems: list[str] = []

    def guarded() -> None:
        try:
            work(stop)
        except Exception as error:  # noqa: BLE001 - a row that fails must not end the other rows
            problems.append(f"{type(error).__name__}: {error}")
            stop.set()

    workers = [threading.Thread(target=guarded, daemon=True) for _ in range(threads)]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    stop.wait(min(LEAD_IN_SECONDS, seconds * LEAD_IN_SHARE))
    since, cpu = time.perf_counter(), time.process_time()

    def is_over(now: float) -> bool:
        enough = now - since >= seconds and heard(since) >= LEAST_TIMES_HEARD
        return enough or now - started >= longest_seconds

    while not stop.wait(POLL_SECONDS) and not is_over(time.perf_counter()):
        pass
    until = time.perf_counter()
    cores = (time.process_time() - cpu) / (until - since)
    mib = host_mib()
    stop.set()
    for worker in workers:
        worker.join()
    return Interval(since, until, cores, mib, problems[0] if problems else "")
