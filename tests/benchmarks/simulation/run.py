"""One configuration of the engine over the timed device, measured for some seconds."""

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.whisper.inference.engine import Engine
from schemas.clock import SystemClock
from tests.benchmarks.simulation.costs import JOB_SECONDS
from tests.benchmarks.simulation.decoders import Decoders
from tests.benchmarks.simulation.device import Device, pause
from tests.benchmarks.simulation.load import Recording, recordings, without_end
from tests.benchmarks.simulation.model import Speech, TimedModel
from tests.benchmarks.simulation.workers import Workers

IN_MEMORY: Final = Path("/dev/shm")
"""Of spools, if it exists: a hole there is read as fast as a page that another process has just written."""
HANG_TIMEOUT_SECONDS: Final = 300.0
SAMPLE_SECONDS: Final = 0.02
ENGLISH: Final = Speech()


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is simulated. ``speed`` is that of all decoders together, in seconds of audio per second."""

    load: str
    rows: int = 32
    replicas: int = 2
    prepared_ahead: int = 1
    workers: int = 128
    speed: float = 1_600.0
    decoder_processes: int = 14
    job_seconds: float = JOB_SECONDS
    speech: Speech = ENGLISH
    switch_interval_seconds: float = 0.005


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it. Shares are of the time measured; ``starved`` and ``held`` are those of an idle device.

    ``starved``: no row waited. ``held``: rows waited, and the host was late. ``cores`` is the CPU time of this
    process per second, ``load`` the machine's load average over a minute.
    """

    busy: float
    times_real_time: float
    rows_per_batch: float
    queued_seconds: float
    starved: float
    held: float
    cores: float
    load: float


class Batches:
    """Counts of the engine's calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls = 0
        self.rows = 0
        self.queued_seconds = 0.0

    def on_batch(self, *, replica: int, rows: int, queued_seconds: float, seconds: float) -> None:  # noqa: ARG002
        """Count a call."""
        with self._lock:
            self.calls += 1
            self.rows += rows
            self.queued_seconds += rows * queued_seconds

    def snapshot(self) -> tuple[float, float, float]:
        """Return calls, rows, and the seconds that all rows have waited."""
        with self._lock:
            return self.calls, self.rows, self.queued_seconds


class Simulation:
    """The engine, the device below it, decoders and workers above it. Close it to stop what is in progress."""

    def __init__(self, chosen: Configuration, load: Iterator[Recording]) -> None:
        self._began_at = time.monotonic()
        self.device = Device(time.monotonic)
        self.model = TimedModel(self.device, chosen.speech)
        self.batches = Batches()
        self.engine = Engine(
            self.model,
            replicas=chosen.replicas,
            batch_rows=chosen.rows,
            prepared_ahead=chosen.prepared_ahead,
            hang_timeout_seconds=HANG_TIMEOUT_SECONDS,
            clock=SystemClock(),
            observer=self.batches,
        )
        self._decoders = Decoders(speed=chosen.speed, processes=chosen.decoder_processes, clock=time.monotonic)
        self.workers = Workers(
            load,
            count=chosen.workers,
            engine=self.engine,
            vocabulary=self.model.vocabulary,
            decoders=self._decoders,
            job_seconds=chosen.job_seconds,
            clock=SystemClock(),
        )

    @property
    def lived_seconds(self) -> float:
        """The time since it began."""
        return time.monotonic() - self._began_at

    def close(self) -> None:
        """Cancel, and block until all threads have ended. Raises the first error of a recording."""
        self.workers.stop()
        self._decoders.close()
        try:
            self.workers.join()
        finally:
            self.engine.close()


def simulate(chosen: Configuration, *, ramp_seconds: float, seconds: float) -> Figures:
    """Run a load without end, and measure it after ``ramp_seconds``. Blocks."""
    load = without_end(recordings(chosen.load))
    with settings_of(chosen), closing(Simulation(chosen, load)) as simulation:
        pause(ramp_seconds)
        return _measure(simulation, seconds)


def _measure(simulation: Simulation, seconds: float) -> Figures:
    device, engine = simulation.device, simulation.engine
    samples = Counter[bool]()
    began_at, cpu_at = time.monotonic(), time.process_time()
    busy_at, heard_at, before = (
        device.busy_seconds(),
        len(simulation.model.heard),
        simulation.batches.snapshot(),
    )
    while time.monotonic() < began_at + seconds:
        pause(SAMPLE_SECONDS)
        if not device.is_busy():
            samples[engine.queued_rows() > 0] += 1
    passed = time.monotonic() - began_at
    busy = (device.busy_seconds() - busy_at) / passed
    calls, rows, queued = (a - b for a, b in zip(simulation.batches.snapshot(), before, strict=True))
    return Figures(
        busy=busy,
        times_real_time=_rate(simulation.model.heard[heard_at:]),
        rows_per_batch=rows / max(1, calls),
        queued_seconds=queued / max(1, rows),
        starved=(1 - busy) * samples[False] / max(1, samples.total()),
        held=(1 - busy) * samples[True] / max(1, samples.total()),
        cores=(time.process_time() - cpu_at) / passed,
        load=os.getloadavg()[0],
    )


def _rate(heard: Sequence[tuple[float, float]]) -> float:
    """Return seconds of audio per second, from the end of the first call to that of the last."""
    passed = heard[-1][0] - heard[0][0] if heard else 0.0
    return sum(seconds for _, seconds in heard[1:]) / passed if passed else 0.0


@contextmanager
def settings_of(chosen: Configuration) -> Iterator[None]:
    """Set what holds for the whole process, and restore it."""
    interval, directory = sys.getswitchinterval(), tempfile.tempdir
    sys.setswitchinterval(chosen.switch_interval_seconds)
    tempfile.tempdir = str(IN_MEMORY) if IN_MEMORY.is_dir() else directory
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        tempfile.tempdir = directory
