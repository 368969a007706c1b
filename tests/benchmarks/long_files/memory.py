"""Memory of processes, watched while something runs. Pages that several of them share count once."""

import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from tests.support.waiting import eventually

MIB: Final = 1024**2
SAMPLE_SECONDS: Final = 0.2
SETTLED_SAMPLES: Final = 10
SETTLE_SECONDS: Final = 120.0


class MemoryWatch:
    """A sampler of the processes that ``pids`` returns at that moment, until it is stopped."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_bytes = 0

    def now_bytes(self) -> int:
        """Return the memory of all of them together."""
        return sum(map(proportional_bytes, self._pids()))

    def settled_bytes(self) -> int:
        """Wait until memory stops growing (children may load after their parent is ready); return it. Blocks."""
        samples = [0]

        def settled() -> bool:
            samples.append(self.now_bytes())
            return max(samples[-SETTLED_SAMPLES:]) - min(samples[-SETTLED_SAMPLES:]) < MIB

        eventually(
            settled, timeout_seconds=SETTLE_SECONDS, interval_seconds=SAMPLE_SECONDS, what="memory to settle"
        )
        return samples[-1]

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, self.now_bytes())


def proportional_bytes(pid: int) -> int:
    """Return the process's share of resident memory; 0 when it has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def children(pid: int) -> list[int]:
    """List the direct children of a process."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
