"""Memory of one process over thousands of files: it must not grow with their number.

Kinds of files alternate: real recordings where ``KASCRIBE_TEST_SPEECH`` names some, else those of the repository.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from models.selftest import path as selftest_directory
from models.whisper.transcriber import Transcriber
from schemas.errors import JobError
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from tests.benchmarks.engine.loads import real_speech
from tests.benchmarks.long_files.memory import MIB, MemoryWatch, children, proportional_bytes

CALLERS: Final = 4
SAMPLES: Final = 20
"""Samples of memory over the run; the first quarter of them is the warm-up."""
FLAT_MIB: Final = 30.0
"""Growth from the second quarter to the last that is no more than noise: files differ in length."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Memory in MiB: of the process, and with its decoders. Quarters are the medians of their samples."""

    files: int
    failed: int
    parent_second_quarter_mib: float
    parent_last_quarter_mib: float
    all_second_quarter_mib: float
    all_last_quarter_mib: float
    all_peak_mib: float

    @property
    def is_flat(self) -> bool:
        """Whether neither has grown by more than noise."""
        parent = self.parent_last_quarter_mib - self.parent_second_quarter_mib
        everything = self.all_last_quarter_mib - self.all_second_quarter_mib
        return max(parent, everything) <= FLAT_MIB


def measure(model: Path, paths: Sequence[Path], *, count: int, samples: int = SAMPLES) -> Growth:
    """Transcribe so many files, the given ones again and again, and sample the memory in between. Blocks."""
    options = TranscribeOptions(beam_size=1)
    parent_mib: list[float] = []
    all_mib: list[float] = []
    failed = 0
    files = cycle(paths)
    with (
        closing(Transcriber(WhisperSettings(device="cpu"), model, "benchmark")) as transcriber,
        ThreadPoolExecutor(CALLERS) as callers,
        MemoryWatch(lambda: (os.getpid(), *children(os.getpid()))) as memory,
    ):

        def completed(path: Path) -> bool:
            try:
                transcriber.transcribe(path, options)
            except JobError:
                return False
            return True

        transcriber.warm_up()
        for number in range(samples):
            batch = list(islice(files, count * (number + 1) // samples - count * number // samples))
            failed += sum(not done for done in callers.map(completed, batch))
            parent_mib.append(proportional_bytes(os.getpid()) / MIB)
            all_mib.append(memory.now_bytes() / MIB)
            print(f"{number + 1} of {samples}: {parent_mib[-1]:.0f}, {all_mib[-1]:.0f} MiB", file=sys.stderr)
    quarter = max(1, samples // 4)

    def median_mib(values: Sequence[float]) -> float:
        return round(statistics.median(values), 1)

    return Growth(
        files=count,
        failed=failed,
        parent_second_quarter_mib=median_mib(parent_mib[quarter : 2 * quarter]),
        parent_last_quarter_mib=median_mib(parent_mib[-quarter:]),
        all_second_quarter_mib=median_mib(all_mib[quarter : 2 * quarter]),
        all_last_quarter_mib=median_mib(all_mib[-quarter:]),
        all_peak_mib=round(memory.peak_bytes / MIB, 1),
    )


def main() -> int:
    """Print the growth as JSON; return 1 when memory is not flat."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.long_files.many_files", description=__doc__)
    parser.add_argument("--model", type=Path, default=selftest_directory())
    parser.add_argument("--count", type=int, default=2_000)
    chosen = parser.parse_args()
    growth = measure(chosen.model, real_speech(600).paths, count=chosen.count)
    print(json.dumps(asdict(growth), indent=2))
    print(f"goal: flat, which is {FLAT_MIB:g} MiB at most: {'met' if growth.is_flat else 'missed'}")
    return 0 if growth.is_flat else 1


if __name__ == "__main__":
    sys.exit(main())
