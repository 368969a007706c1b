"""Memory of processes, watched while something runs. Pages that several of them share count once."""

import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.support.waiting import eventually

MIB = 1024**2
LOOK_SECONDS = 0.2
SETTLED_LOOKS = 10
SETTLE_SECONDS = 120.0


class MemoryWatch:
    """Looks at the processes that ``pids`` names at that moment, until it is stopped."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak_bytes = 0

    def now_bytes(self) -> int:
        """What all of them together hold."""
        return sum(map(proportional_bytes, self._pids()))

    def settled_bytes(self) -> int:
        """The same once it grows no more: children are still loading when their parent is ready. Blocks."""
        looks = [0]

        def settled() -> bool:
            looks.append(self.now_bytes())
            return max(looks[-SETTLED_LOOKS:]) - min(looks[-SETTLED_LOOKS:]) < MIB

        eventually(settled, timeout_seconds=SETTLE_SECONDS, interval_seconds=LOOK_SECONDS, what="memory to settle")
        return looks[-1]

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            self.peak_bytes = max(self.peak_bytes, self.now_bytes())


def proportional_bytes(pid: int) -> int:
    """The process's share of what is resident; 0 when it has ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
