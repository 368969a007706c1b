"""The table of a benchmark as text for a terminal of 80 columns. Pure."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from kascribe.commands.benchmarking.figures import BenchRow

COLUMNS: Final = 80
NAME_COLUMNS: Final = 26
BYTES_PER_MEGABYTE: Final = 1_000_000


def lines_of(rows: Sequence[BenchRow]) -> Iterator[str]:
    """Yield the lines. ``rows``: Kascribe's first, then any other system's."""
    first = rows[0]
    yield f"{first.model}, {first.device}, {first.compute_type}"
    yield ""
    yield _line("throughput", f"{'x real time':>11} {'files':>7} {'audio s':>9} {'seconds':>9}")
    for row in rows:
        figures = f"{row.times_real_time:11.1f} {row.files:7} {row.audio_seconds:9.0f} {row.wall_seconds:9.1f}"
        yield _line(f"  {row.system}", figures)
    if first.latencies:
        yield _line("latency", f"{'files':>11} {'p50 s':>7} {'p95 s':>9}")
    for lane in first.latencies:
        yield _line(f"  {lane.lane}", f"{lane.files:11} {lane.p50_seconds:7.2f} {lane.p95_seconds:9.2f}")
    yield ""
    yield from _kascribe(first)
    for row in rows[1:]:
        ratio = first.times_real_time / max(row.times_real_time, 1e-9)
        yield f"Kascribe is {ratio:.1f} times as fast as {row.system}, one file after the other."
    yield from textwrap.wrap(first.bottleneck or "", COLUMNS)


def _kascribe(row: BenchRow) -> Iterator[str]:
    if row.engine_busy is not None and row.decoders_busy is not None:
        yield _line("busy", f"engine {row.engine_busy:.0%}, decoders {row.decoders_busy:.0%}")
    if row.rows_per_batch is not None and row.queued_seconds is not None:
        waited = f"each waited {row.queued_seconds:.2f} s on average"
        yield _line("rows per batch", f"{row.rows_per_batch:.1f}, {waited}")
    if row.memory_peak_bytes is not None:
        yield _line("memory, at most", f"{row.memory_peak_bytes / BYTES_PER_MEGABYTE:,.0f} MB with decoders")


def _line(name: str, text: str) -> str:
    return f"{name:{NAME_COLUMNS}}{text}"
