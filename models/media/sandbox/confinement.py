"""Confinement of the process that calls: limits, sandbox, and a trial of each protection.

Every call here is made in the child, after its libraries are loaded and before it receives a file.
"""

import os
import resource
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Final

from models.media.sandbox import kernel
from models.media.sandbox.report import Protection, SandboxReport

DESCRIPTORS_LIMIT: Final = 64
"""Open files of a child: its pipes, the recording, the spool, and room for libraries."""


def limit_resources(*, memory_bytes: int, file_bytes: int) -> None:
    """Limit address space, the size of a file that is written, open files, and core dumps. Raises OSError."""
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NOFILE: DESCRIPTORS_LIMIT,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for kind, limit in limits.items():
        _, hard = resource.getrlimit(kind)
        least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (least, least))


def confine() -> SandboxReport:
    """Confine this process as far as the kernel allows, and report what it refuses from now on."""
    problems: list[str] = []
    has_fewer_rights = _tried(kernel.give_up_privileges, problems)
    version = kernel.landlock_version()
    if version and not _tried(lambda: kernel.install_landlock(version), problems):
        version = 0
    is_filtered = _tried(kernel.install_filter, problems)
    if not is_filtered:
        _tried(_forbid_processes, problems)
    refused = {protection for protection, trial in _TRIALS.items() if not trial()}
    if has_fewer_rights:
        refused.add(Protection.PRIVILEGES)
    return SandboxReport(
        in_force=tuple(each for each in Protection if each in refused),
        seccomp=is_filtered,
        landlock_abi=version,
        problems=tuple(problems),
    )


def unconfined() -> SandboxReport:
    """Return the report of a child whose sandbox is turned off."""
    return SandboxReport(is_on=False, in_force=(), seccomp=False, landlock_abi=0)


def _tried(step: Callable[[], None], problems: list[str]) -> bool:
    try:
        step()
    except OSError as error:
        problems.append(str(error.strerror or error))
        return False
    return True


def _forbid_processes() -> None:
    # Counts the user's threads too, so FFmpeg decodes on one. The kernel does not apply it to root.
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _can_read_parent() -> bool:
    return _can_open(f"/proc/{os.getppid()}/environ")


def _can_open_files() -> bool:
    return _can_open("/")


def _can_open(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True


def _can_make_sockets() -> bool:
    try:
        with closing(socket.socket(socket.AF_UNIX)):
            return True
    except OSError:
        return False


def _can_start_processes() -> bool:
    try:
        pid = os.fork()
    except OSError:
        return False
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True


def _can_call_kernel() -> bool:
    # Without flags, unshare does nothing: it succeeds unless a filter refuses it.
    return kernel.unshare_nothing()


_TRIALS: Final[dict[Protection, Callable[[], bool]]] = {
    Protection.PARENT_MEMORY: _can_read_parent,
    Protection.FILES: _can_open_files,
    Protection.NETWORK: _can_make_sockets,
    Protection.PROCESSES: _can_start_processes,
    Protection.KERNEL: _can_call_kernel,
}
"""What each protection refuses; a trial returns True where it succeeds."""
