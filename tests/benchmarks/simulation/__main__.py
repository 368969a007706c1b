"""``make simulate-engine``: how busy the real engine keeps a timed device, in under five minutes.

Everything on the host is real, and so is the GIL: batches, prompts, gate, words, assembly and the threads of the
workers. Kernels are waits with the times in ``costs.py``, decoders are a supply of windows at a fixed speed, and
each job holds the GIL for as long as the clients of S3 and Kafka do. What a host without a GPU cannot show is the
true time of kernels. Figures need an idle machine: its load is printed beside each. Ends with 1 when a goal is
missed.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.benchmarks.simulation.load import LOADS
from tests.benchmarks.simulation.model import Speech
from tests.benchmarks.simulation.run import Configuration, Figures, simulate

ROWS: Final = (16, 32, 64)
REPLICAS: Final = (1, 2)
AUTOMATIC: Final = (32, 2)
"""Rows and replicas that a GPU gets where the settings leave them open."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the automatic settings have to reach on a load."""

    busy: float
    times_real_time: float = 0.0

    def is_met(self, figures: Figures) -> bool:
        """Return whether all of it was reached."""
        return figures.busy >= self.busy and figures.times_real_time >= self.times_real_time

    def __str__(self) -> str:
        return f"{self.busy:.0%} busy" + (f" at {self.times_real_time:,.0f}x" if self.times_real_time else "")


GOALS: Final = {"mixed": Goal(0.95, 1_500), "short": Goal(0.90)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each configuration, then the goals; return 1 when one was missed."""
    chosen = _parser().parse_args(arguments)
    print(HEADER)
    misses = 0
    for configuration in _configurations(chosen):
        figures = simulate(configuration, ramp_seconds=chosen.ramp, seconds=chosen.seconds)
        print(line(configuration, figures), flush=True)
        if (configuration.rows, configuration.replicas) == AUTOMATIC:
            goal = GOALS[configuration.load]
            verdict = "met" if goal.is_met(figures) else "MISSED"
            misses += not goal.is_met(figures)
            print(f"  goal of the automatic settings on {configuration.load}, {goal}: {verdict}", flush=True)
    return int(misses > 0)


HEADER: Final = (
    "load   rows replicas    busy  x real time  rows/batch  queued s  idle: no rows  host late  cores  load"
)


def line(configuration: Configuration, figures: Figures) -> str:
    """Return the line of a configuration."""
    return (
        f"{configuration.load:<6} {configuration.rows:>4} {configuration.replicas:>8} {figures.busy:>7.1%}"
        f" {figures.times_real_time:>12,.0f} {figures.rows_per_batch:>11.1f} {figures.queued_seconds:>9.2f}"
        f" {figures.starved:>14.1%} {figures.held:>10.1%} {figures.cores:>6.2f} {figures.load:>5.1f}"
    )


def _configurations(chosen: argparse.Namespace) -> Iterator[Configuration]:
    plain = Configuration(
        load="mixed",
        prepared_ahead=chosen.prepared_ahead,
        workers=chosen.workers,
        speed=chosen.speed,
        decoder_processes=chosen.decoders,
        job_seconds=chosen.job_ms / 1_000,
        speech=Speech(chosen.language, chosen.retried),
        switch_interval_seconds=chosen.switch_interval_ms / 1_000,
    )
    for load in chosen.load or LOADS:
        for replicas in chosen.replicas or REPLICAS:
            for rows in chosen.rows or ROWS:
                yield replace(plain, load=load, rows=rows, replicas=replicas)


def _parser() -> argparse.ArgumentParser:
    usual = Configuration("mixed")
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.simulation", description=__doc__)
    parser.add_argument("--load", choices=list(LOADS), action="append")
    parser.add_argument("--rows", type=int, action="append", help="of a batch at most; may be repeated")
    parser.add_argument("--replicas", type=int, action="append", help="calls at once; may be repeated")
    parser.add_argument("--prepared-ahead", type=int, default=usual.prepared_ahead, help="batches")
    parser.add_argument("--workers", type=int, default=usual.workers, help="recordings in flight")
    parser.add_argument("--speed", type=float, default=usual.speed, help="of all decoders, x real time")
    parser.add_argument("--decoders", type=int, default=usual.decoder_processes, help="recordings decoded at once")
    parser.add_argument("--job-ms", type=float, default=usual.job_seconds * 1_000, help="Python's CPU per job")
    parser.add_argument("--language", default="en", choices=["en", "ko", "zh", "ja"])
    parser.add_argument("--retried", type=float, default=0.0, help="share of windows that need another search")
    parser.add_argument("--switch-interval-ms", type=float, default=usual.switch_interval_seconds * 1_000)
    parser.add_argument("--ramp", type=float, default=4.0, help="seconds before measuring")
    parser.add_argument("--seconds", type=float, default=12.0, help="seconds of measuring")
    return parser


if __name__ == "__main__":
    sys.exit(main())
