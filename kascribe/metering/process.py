"""Metrics of the process of a role: what runs, its memory and its children's, and the services that it needs."""

import os
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from consumers.metrics import Instruments
from schemas.monitoring import BUILD_INFO, CHILD_MEMORY, CHILD_PROCESSES, DEPENDENCY_DOWN

PROC: Final = Path("/proc")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Build:
    """The one series of ``kascribe_build_info``."""

    def __init__(self, instruments: Instruments, role: str) -> None:
        self._gauge = instruments.gauge(BUILD_INFO)
        self._role = role
        self.set()

    def set(self, *, model: str = "", compute_type: str = "", device: str = "") -> None:
        """Replace what is known of the model."""
        self._gauge.clear()
        python = platform.python_version()
        self._gauge.labels(version("kascribe"), python, self._role, model, compute_type, device).set(1)


def observe_process(instruments: Instruments, role: str, *, services: Iterable[str]) -> Build:
    """Export what every role does, once for each process; return its build info, to be completed.

    ``services`` are those that it needs: their series exist from the start. Reads /proc whenever it is scraped.
    """
    instruments.add_process_collector()
    for service in services:
        instruments.gauge(DEPENDENCY_DOWN).labels(service).set(0)
    instruments.gauge(CHILD_PROCESSES).set_function(lambda: len(list(children_of(os.getpid()))))
    instruments.gauge(CHILD_MEMORY).set_function(lambda: sum(map(resident_bytes, children_of(os.getpid()))))
    return Build(instruments, role)


def children_of(process: int, *, proc: Path = PROC) -> Iterator[int]:
    """Yield the processes below one, at any depth. A process that ends meanwhile is left out."""
    for task in _entries(proc / str(process) / "task"):
        for child in map(int, _text(task / "children").split()):
            yield child
            yield from children_of(child, proc=proc)


def resident_bytes(process: int, *, proc: Path = PROC) -> int:
    """Return the resident memory of a process; 0 when it has ended."""
    fields = _text(proc / str(process) / "statm").split()
    return int(fields[1]) * _PAGE_BYTES if len(fields) > 1 else 0


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except OSError:
        return ""
