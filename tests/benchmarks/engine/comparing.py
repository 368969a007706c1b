"""Rounds of all systems in turn, and what they amount to."""

import os
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.engine.arms import Run, started
from tests.benchmarks.engine.loads import Load
from tests.benchmarks.engine.systems import FLOOR, KASCRIBE, PLAIN, SYSTEMS, TWO_WORKERS

FLOOR_SHARE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Goal:
    """The least ratio of another system's time to Kascribe's."""

    system: str
    ratio: float
    only_real_speech: bool = True


GOALS: Final = (Goal(PLAIN, 2.2), Goal(TWO_WORKERS, 1.6), Goal(FLOOR, FLOOR_SHARE, only_real_speech=False))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every round's run, by system. ``loads`` are the machine's before and after (one-minute load averages)."""

    load: Load
    runs: Mapping[str, Sequence[Run]]
    loads: tuple[float, float]

    def ratios(self, system: str, *, of: Callable[[Run], float] = lambda run: run.wall_seconds) -> list[float]:
        """Return each round's ratio of a system's time to Kascribe's, ascending."""
        pairs = zip(self.runs[system], self.runs[KASCRIBE], strict=True)
        return sorted(of(other) / of(ours) for other, ours in pairs)

    def seconds(self, system: str) -> float:
        """Return the median of a system's times."""
        return statistics.median(run.wall_seconds for run in self.runs[system])

    def processor_seconds(self, system: str) -> float:
        """Return the median of a system's processor times."""
        return statistics.median(run.processor_seconds for run in self.runs[system])


def compare(
    load: Load, model: Path, *, rounds: int, fixed: bool = False, systems: Sequence[str] = SYSTEMS
) -> Comparison:
    """Let every system transcribe all files in each round, in an order that alternates. Blocks for minutes."""
    runs: dict[str, list[Run]] = {system: [] for system in systems}
    with ExitStack() as running:
        arms = {}
        for system in systems:
            _report(f"loading {system}")
            arms[system] = running.enter_context(started(system, model, fixed=fixed))
            arms[system].prepare(load.paths)
        before = os.getloadavg()[0]
        for number in range(rounds):
            for system in systems if number % 2 == 0 else systems[::-1]:
                run = arms[system].run(load.paths)
                runs[system].append(run)
                _report(f"round {number + 1} of {rounds}: {system}, {run.wall_seconds:.1f} s")
        return Comparison(load, runs, (before, os.getloadavg()[0]))


def table(comparison: Comparison) -> str:
    """Return a table of medians; ratios are those of the pairs of a round."""
    before, after = comparison.loads
    load = comparison.load
    rounds, cores = len(comparison.runs[KASCRIBE]), len(os.sched_getaffinity(0))
    lines = [
        f"{len(load.paths)} {load.title}, {load.audio_seconds:.0f} s of audio",
        f"{cores} cores; medians of {rounds} rounds; load {before:.1f} before, {after:.1f} after",
        f"{'':24}{'seconds':>8}{'x real time':>12}{'CPU s':>8}{'by Kascribe':>13}  least to greatest",
    ]
    for system in comparison.runs:
        seconds, ratios = comparison.seconds(system), comparison.ratios(system)
        lines.append(
            f"{system:24}{seconds:8.1f}{load.audio_seconds / seconds:12.1f}"
            f"{comparison.processor_seconds(system):8.1f}{statistics.median(ratios):13.2f}"
            f"  {ratios[0]:.2f} to {ratios[-1]:.2f}"
        )
    return "\n".join(lines)


def verdicts(comparison: Comparison, *, is_real_speech: bool) -> list[str]:
    """Return one sentence for each goal that applies."""
    sentences = []
    for goal in GOALS:
        if goal.system not in comparison.runs or (goal.only_real_speech and not is_real_speech):
            continue
        ratio = statistics.median(comparison.ratios(goal.system))
        met = "met" if ratio >= goal.ratio else f"missed by {goal.ratio - ratio:.2f}"
        sentences.append(
            f"goal: {goal.system} takes at least {goal.ratio:g} of Kascribe's time: {ratio:.2f}, {met}"
        )
    return sentences


def _report(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
