"""Resident memory of processes, watched while something runs."""

import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

MIB = 1024**2
LOOK_SECONDS = 0.2


class MemoryWatch:
    """Looks at the processes that ``pids`` names at that moment, until it is stopped."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak_bytes = 0

    def now_bytes(self) -> int:
        """Resident memory of all of them together."""
        return sum(map(resident_bytes, self._pids()))

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            self.peak_bytes = max(self.peak_bytes, self.now_bytes())


def resident_bytes(pid: int) -> int:
    """0 for a process that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
