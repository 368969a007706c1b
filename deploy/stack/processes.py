"""Server processes that outlive the command that started them, ended without ever hitting another one.

A pid alone may have been given to somebody else since; a process is known by its pid, its start time and the
boot it belongs to. Signals go through a pidfd opened before that check, so there is no moment in between.
"""

import os
import select
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.errors import StackError

KILL_DEADLINE_SECONDS = 10.0  # a killed process is gone at once unless the kernel holds it in I/O
STAT_STATE_FIELD, STAT_SESSION_FIELD, STAT_START_FIELD = 0, 3, 19
_DEAD_STATES = "ZX"


@dataclass(frozen=True, slots=True)
class Process:
    """One process that we started: `started_ticks` since the boot called `boot_id` (proc(5), stat)."""

    pid: int
    started_ticks: int
    boot_id: str


def start(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> Process:
    """Starts a program in a session of its own, its output appended to `log`. Does not wait for it."""
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
    except OSError as failed:
        raise StackError(f"cannot start {command[0]}: {failed.strerror}") from failed
    state = _stat(pid)
    started_ticks = state[1] if state else 0  # gone already: recorded as a process that never lives
    return Process(pid=pid, started_ticks=started_ticks, boot_id=_boot_id())


def is_alive(process: Process) -> bool:
    """Whether that very process still runs; reaps it when it was our child and has ended."""
    state = _stat(process.pid)
    if state is None or state[1] != process.started_ticks or process.boot_id != _boot_id():
        return False
    if state[0] in _DEAD_STATES:
        _reap(process.pid)
        return False
    return True


def resident_bytes(process: Process) -> int:
    """Memory that the process holds now; 0 when it has ended."""
    try:
        pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def end(processes: Iterable[Process], *, grace_seconds: float) -> None:
    """Asks all of them to end, waits for all, and kills what is left after `grace_seconds`.

    Returns when none of them lives. Safe to repeat. Raises StackError when one survives even SIGKILL.
    """
    with ExitStack() as opened:
        descriptors = _open_all(processes, opened)
        left = _signal_and_wait(descriptors, signal.SIGTERM, grace_seconds) if grace_seconds > 0 else descriptors
        left = _signal_and_wait(left, signal.SIGKILL, KILL_DEADLINE_SECONDS)
        for process in descriptors.values():
            is_alive(process)  # reaps those that were our children
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
    with suppress(ChildProcessError):  # somebody else's child, or reaped before
        os.waitpid(pid, os.WNOHANG)


def stat_fields(pid: int) -> list[str] | None:
    """What proc(5) stat says of a process, counted after its name, which may contain spaces and brackets.

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
