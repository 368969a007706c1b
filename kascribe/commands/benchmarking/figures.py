"""The figures of a benchmark, from what was observed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from pydantic import BaseModel, ConfigDict

FULL_SHARE: Final = 0.9
"""A busy share from which a stage counts as full: gaps between calls are work as well."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the model that ended at a monotonic time."""

    ended_at: float
    rows: int
    queued_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Transcribed:
    """A file that has its transcript: the length of its audio, and the time from request to transcript."""

    audio_seconds: float
    latency_seconds: float


@dataclass(frozen=True, slots=True)
class Capacity:
    """What could work at once: calls of the model, decoders, files; ``files_given`` are those that there are."""

    replicas: int
    decoders: int
    files_at_once: int
    files_given: int


@dataclass(frozen=True, slots=True)
class Observed:
    """What happened between two monotonic times."""

    started_at: float
    ended_at: float
    calls: Sequence[Call]
    decoder_seconds: float
    files: Sequence[Transcribed]
    unfinished_audio_seconds: float = 0.0  # heard of files that were not finished

    @property
    def audio_seconds(self) -> float:
        """The audio that was heard."""
        return sum(each.audio_seconds for each in self.files) + self.unfinished_audio_seconds

    @property
    def wall_seconds(self) -> float:
        """The time between them."""
        return self.ended_at - self.started_at


class LatencyRow(BaseModel):
    """Latencies of one lane: seconds from request to transcript."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lane: str
    files: int
    p50_seconds: float
    p95_seconds: float


class BenchRow(BaseModel):
    """What one system did. ``engine_busy`` and the following are those of Kascribe alone.

    Busy shares are 0 to 1: of the calls that the model can serve at once, and of the decoders. Memory is the most
    that the process and its decoders had, on the host.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    model: str
    device: str
    compute_type: str
    files: int
    audio_seconds: float
    wall_seconds: float
    times_real_time: float
    engine_busy: float | None = None
    decoders_busy: float | None = None
    rows_per_batch: float | None = None
    queued_seconds: float | None = None
    memory_peak_bytes: int | None = None
    latencies: tuple[LatencyRow, ...] = ()
    bottleneck: str | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """How busy engine and decoders were, 0 to 1; rows of a call, and the mean seconds that they waited for it."""

    engine: float
    decoders: float
    rows_per_batch: float
    queued_seconds: float


def shares(observed: Observed, capacity: Capacity) -> Shares:
    """Return the busy shares of the time observed. Of a call, the part within that time counts."""
    wall = max(observed.wall_seconds, 1e-9)
    rows = sum(call.rows for call in observed.calls)
    called = sum(
        min(call.ended_at, observed.ended_at) - max(call.ended_at - call.seconds, observed.started_at)
        for call in observed.calls
    )
    queued = sum(call.queued_seconds * call.rows for call in observed.calls)
    return Shares(
        engine=min(1.0, called / (wall * capacity.replicas)),
        decoders=min(1.0, observed.decoder_seconds / (wall * capacity.decoders)),
        rows_per_batch=rows / max(1, len(observed.calls)),
        queued_seconds=queued / max(1, rows),
    )


def bottleneck(busy: Shares, capacity: Capacity) -> str:
    """Return in one sentence what limits the throughput, and what would raise it."""
    percent = f"{busy.engine:.0%}"
    if busy.engine >= FULL_SHARE:
        return f"The engine is the bottleneck: it was busy {percent} of the time; only a faster device helps."
    if busy.decoders >= FULL_SHARE:
        return (
            f"The decoders are the bottleneck: they were busy {busy.decoders:.0%} of the time, the engine "
            f"{percent}; raise KASCRIBE_WHISPER_DECODER_PROCESSES where cores are free."
        )
    if capacity.files_given < capacity.files_at_once:
        return (
            f"Too few files: {capacity.files_given} at once kept the engine busy {percent} of the time; "
            f"this machine works on {capacity.files_at_once} at once."
        )
    slower = "decoders" if busy.decoders > busy.engine else "engine"
    return (
        f"Neither is full, the {slower} first: the engine was busy {percent} of the time, "
        f"the decoders {busy.decoders:.0%}; something else takes the cores, or the files are very short."
    )


def latency_row(lane: str, files: Sequence[Transcribed]) -> LatencyRow:
    """Return median and 95th percentile; there is one file at least."""
    latencies = [each.latency_seconds for each in files]
    return LatencyRow(
        lane=lane,
        files=len(files),
        p50_seconds=round(percentile(latencies, 0.5), 3),
        p95_seconds=round(percentile(latencies, 0.95), 3),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]
