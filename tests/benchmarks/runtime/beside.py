"""The runtime's benchmark of this tree beside another revision's.

Run: ``python -m tests.benchmarks.runtime.beside REVISION``.

The two run in turn, each in a process of its own, so that both meet the same machine. Printed are the medians of
the rounds, the median of the paired ratios, and the least and greatest of them.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.structure.trees import ROOT, NoSuchRevision, open_revision

BENCHMARK: Final = "tests.benchmarks.runtime"
ROUND_SECONDS: Final = 600.0

_LINE: Final = re.compile(r"^(\S.*?)\s+([0-9.]+) us/record of wall clock,\s+([0-9.]+) of CPU")

Measures = dict[str, tuple[float, float]]
"""By name: microseconds per record, of wall clock and of CPU."""


def main(arguments: list[str] | None = None) -> None:
    """Print both trees' microseconds per record, and the ratio of this tree to the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.runtime.beside", description=__doc__)
    parser.add_argument("revision", help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=60_000)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        try:
            with open_revision(chosen.revision) as tree:
                tree.extractall(directory, filter="data")
        except NoSuchRevision as error:
            parser.error(str(error))
        trees = {"before": Path(directory), "after": ROOT}
        rounds: dict[str, list[Measures]] = defaultdict(list)
        for number in range(chosen.rounds):
            order = list(trees) if number % 2 == 0 else list(trees)[::-1]
            for name in order:
                rounds[name].append(_measure(trees[name], chosen.records))
                print(f"round {number + 1} of {chosen.rounds}: {name}", file=sys.stderr, flush=True)
    _print(rounds["before"], rounds["after"], chosen.revision)


def _measure(tree: Path, records: int) -> Measures:
    """Run the benchmark of a tree. Its own modules take precedence over those that are installed."""
    done = subprocess.run(
        [sys.executable, "-m", BENCHMARK, "--records", str(records)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        check=True,
        text=True,
        timeout=ROUND_SECONDS,
    )
    found = (_LINE.match(line) for line in done.stdout.splitlines())
    return {match[1]: (float(match[2]), float(match[3])) for match in found if match}


def _print(before: list[Measures], after: list[Measures], revision: str) -> None:
    print(f"microseconds per record, medians of {len(before)} rounds; before is {revision}")
    print(f"{'':32} {'before':>8} {'after':>8} {'ratio':>6}  least to greatest")
    for name in before[0]:
        for index, kind in enumerate(("wall", "CPU")):
            old = [measures[name][index] for measures in before]
            new = [measures[name][index] for measures in after]
            ratios = sorted(late / early for early, late in zip(old, new, strict=True))
            print(
                f"{name + ', ' + kind:32} {statistics.median(old):8.1f} {statistics.median(new):8.1f} "
                f"{statistics.median(ratios):6.2f}  {ratios[0]:.2f} to {ratios[-1]:.2f}"
            )


if __name__ == "__main__":
    main()
