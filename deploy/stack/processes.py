"""Server processes that outlive the command that started them, identified so that no other process is signalled.

A pid alone may have been reused; a process is identified by its pid, its start time and its boot. Signals go
through a pidfd opened before that check, so there is no race.
"""

import os
import select
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.stack.errors import StackError

KILL_DEADLINE_SECONDS: Final = 10.0  # a killed process is gone at once unless the kernel holds it in I/O
STAT_STATE_FIELD: Final = 0
STAT_SESSION_FIELD: Final = 3
STAT_START_FIELD: Final = 19
_DEAD_STATES: Final = "ZX"


@dataclass(frozen=True, slots=True)
class Process:
    """A started process. `started_ticks` counts from the boot `boot_id` (proc(5), stat)."""

    pid: int
    started_ticks: int
    boot_id: str


def start(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> Process:
    """Start a program in its own session, its output appended to `log`. Does not wait for it."""
    opened = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        pid = os.posix_spawn(
            command[0],
            list(command),
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), opened, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGINT],
            setsigmask=[],
        )
    except OSError as error:
        raise StackError(f"cannot start {command[0]}: {error.strerror}") from error
    state = _stat(pid)
    started_ticks = state[1] if state else 0  # already gone: recorded as a process that is never alive
    return Process(pid=pid, started_ticks=started_ticks, boot_id=_boot_id())


def is_alive(process: Process) -> bool:
    """Return whether the process still runs; reap it if it is a child of this process that has ended."""
    state = _stat(process.pid)
    if state is None or state[1] != process.started_ticks or process.boot_id != _boot_id():
        return False
    if state[0] in _DEAD_STATES:
        _reap(process.pid)
        return False
    return True


def resident_bytes(process: Process) -> int:
    """Return the memory that the process holds now; 0 when it has ended."""
    try:
        pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def end(processes: Iterable[Process], *, grace_seconds: float) -> None:
    """Send SIGTERM to all, wait for all, and kill those that are left after `grace_seconds`.

    Returns when none of them is alive. Safe to repeat. Raises StackError when one survives even SIGKILL.
    """
    with ExitStack() as opened:
        descriptors = _open_all(processes, opened)
        left = _signal_and_wait(descriptors, signal.SIGTERM, grace_seconds) if grace_seconds > 0 else descriptors
        left = _signal_and_wait(left, signal.SIGKILL, KILL_DEADLINE_SECONDS)
        for process in descriptors.values():
            is_alive(process)  # reaps children of this process
        if left:
            pids = ", ".join(str(process.pid) for process in left.values())
            raise StackError(f"still running {KILL_DEADLINE_SECONDS:.0f} s after SIGKILL: pid {pids}")


def _open_all(processes: Iterable[Process], opened: ExitStack) -> dict[int, Process]:
    descriptors: dict[int, Process] = {}
    for process in processes:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(process.pid)
            opened.callback(os.close, descriptor)
            if is_alive(process):
                descriptors[descriptor] = process
    return descriptors


def _signal_and_wait(
    descriptors: dict[int, Process], number: signal.Signals, seconds: float
) -> dict[int, Process]:
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)
    left = dict(descriptors)
    deadline = time.monotonic() + seconds
    while left and (remaining_seconds := deadline - time.monotonic()) > 0:
        for descriptor, _ in poller.poll(remaining_seconds * 1000):
            poller.unregister(descriptor)
            del left[descriptor]
    return left


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # another process's child, or already reaped
        os.waitpid(pid, os.WNOHANG)


def stat_fields(pid: int) -> list[str] | None:
    """Return the fields of proc(5) stat after the process's name, which may contain spaces and brackets.

    None when there is no such process.
    """
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return line.rpartition(")")[2].split()


def _stat(pid: int) -> tuple[str, int] | None:
    fields = stat_fields(pid)
    return (fields[STAT_STATE_FIELD], int(fields[STAT_START_FIELD])) if fields else None


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
