"""A decoder that hostile media has taken over: the real child, but instead of decoding it does what a file says.

A recording is the name of an attempt, and words for it. The answer is ``done: …``, or the error of the kernel.
"""

import ctypes
import errno
import fcntl
import os
import platform
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from models.media import child
from schemas.errors import AudioUndecodable

LIBC: Final = ctypes.CDLL(None, use_errno=True)
NUMBERS: Final = {
    "x86_64": {
        "ptrace": 101, "mount": 165, "add_key": 248, "keyctl": 250, "io_uring_setup": 425, "bpf": 321,
        "perf_event_open": 298, "userfaultfd": 323, "process_vm_readv": 310, "pidfd_open": 434, "clone": 56,
        "clone3": 435, "openat2": 437, "kill": 62, "tgkill": 234, "setns": 308, "seccomp": 317, "shmget": 29,
        "x32_write": 0x40000001, "rt_sigqueueinfo": 129, "prctl": 157, "open_by_handle_at": 304, "execveat": 322,
        "personality": 135, "sendto": 44,
    },
    "aarch64": {
        "ptrace": 117, "mount": 40, "add_key": 217, "keyctl": 219, "io_uring_setup": 425, "bpf": 280,
        "perf_event_open": 241, "userfaultfd": 282, "process_vm_readv": 270, "pidfd_open": 434, "clone": 220,
        "clone3": 435, "openat2": 437, "kill": 129, "tgkill": 131, "setns": 268, "seccomp": 277, "shmget": 194,
        "x32_write": 0x40000001, "rt_sigqueueinfo": 138, "prctl": 167, "open_by_handle_at": 265, "execveat": 281,
        "personality": 92, "sendto": 206,
    },
}[platform.machine()]  # fmt: skip
AF_VSOCK: Final = 40
F_SETOWN: Final = 8
CLONE_NEWUSER: Final = 0x10000000


def system_call(name: str, *arguments: Any) -> int:
    """Call the kernel past the C library. Raises OSError."""
    LIBC.syscall.restype = ctypes.c_long
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(LIBC.syscall(ctypes.c_long(NUMBERS[name]), *words, *[ctypes.c_long(0)] * (6 - len(words))))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def read_file(path: str) -> str:
    """Read a file, such as the parent's environment."""
    descriptor = os.open(path.replace("PARENT", str(os.getppid())), os.O_RDONLY)
    return os.read(descriptor, 100_000).hex()


def write_file(path: str) -> None:
    """Create a file."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT))


class _Range(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def read_memory(address: str, length: str) -> str:
    """Read the parent's memory."""
    found = ctypes.create_string_buffer(int(length))
    here = _Range(ctypes.addressof(found), int(length))
    there = _Range(int(address), int(length))
    system_call("process_vm_readv", os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return found.raw.hex()


def make_socket(family: str, kind: str) -> None:
    """Make a socket."""
    socket.socket(int(family), int(kind)).close()


def connect_input(path: str) -> None:
    """Connect the one socket that the child has to another address."""
    address = ctypes.create_string_buffer(b"\x01\x00" + path.encode() + b"\0")
    if LIBC.connect(0, address, len(path) + 3) < 0:
        raise OSError(ctypes.get_errno(), "connect")


def fork() -> None:
    """Start a process that ends at once."""
    _end_in_child(os.fork())


def clone() -> None:
    """Start a process without the C library."""
    _end_in_child(system_call("clone", int(signal.SIGCHLD), 0, 0, 0, 0))


def _end_in_child(pid: int) -> None:
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def execute() -> None:
    """Become another program; it is not there, so that an attempt that is allowed ends with ENOENT."""
    os.execv("/nowhere/at/all", ["all"])  # noqa: S606


def start_thread() -> str:
    """Start a thread, as FFmpeg may."""
    said: list[str] = []
    thread = threading.Thread(target=said.append, args=("thread",))
    thread.start()
    thread.join()
    return said[0]


def map_code() -> None:
    """Map memory to write code into, and run it."""
    LIBC.mmap.restype = ctypes.c_void_p
    found = LIBC.mmap(None, ctypes.c_size_t(4096), 7, 0x22, -1, ctypes.c_long(0))
    if found == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")


def raise_limits() -> None:
    """Allow itself more open files than its hard limit."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (10_000, 10_000))


def open_many() -> None:
    """Duplicate a descriptor until the limit."""
    kept = [os.dup(0) for _ in range(1_000)]
    raise AssertionError(len(kept))


def limit_parent() -> None:
    """Change the parent's limits."""
    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)


def own_signals() -> None:
    """Have the kernel signal the parent."""
    fcntl.fcntl(0, F_SETOWN, os.getppid())


def new_namespaces() -> None:
    """Take a namespace of users of its own, in which it has all rights."""
    if LIBC.unshare(CLONE_NEWUSER) < 0:
        raise OSError(ctypes.get_errno(), "unshare")


def push_input() -> None:
    """Send on the socket by which requests arrive."""
    system_call("sendto", 0, ctypes.create_string_buffer(b"x"), 1, 0, 0, 0)


ATTEMPTS: Final[dict[str, Callable[..., str | None]]] = {
    "read_file": read_file,
    "write_file": write_file,
    "read_memory": read_memory,
    "make_socket": make_socket,
    "connect_input": connect_input,
    "push_input": push_input,
    "socket_pair": lambda: str(socket.socketpair()),
    "memory_file": lambda: str(os.memfd_create("file")),
    "list_files": lambda path: str(list(Path(path).iterdir())),
    "fork": fork,
    "clone": clone,
    "execute": execute,
    "start_thread": start_thread,
    "map_code": map_code,
    "raise_limits": raise_limits,
    "open_many": open_many,
    "limit_parent": limit_parent,
    "own_signals": own_signals,
    "signal_parent": lambda: os.kill(os.getppid(), 0),
    "set_user": lambda: os.setuid(12345),
    "change_root": lambda: os.chroot("/"),
    "new_namespaces": new_namespaces,
    "abort": os.abort,
}


def attempt(words: list[str]) -> str:
    """Do what the words say, and tell how it ended."""
    name, *arguments = words
    try:
        if name in ATTEMPTS:
            done = ATTEMPTS[name](*arguments)
        else:
            parent = str(os.getppid())
            done = str(system_call(name, *(int(each.replace("PARENT", parent)) for each in arguments)))
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except ValueError as error:  # the resource module's word for EPERM
        return str(error)
    return f"done: {done}"


class TakenOver(child.DecodeRun):
    """Obeys the recording."""

    def run(self) -> None:
        """Make the attempt; a real recording, of the child's rehearsal, is decoded."""
        content = self._recording.read()
        if not content.startswith(b"attempt "):
            self._recording.seek(0)
            super().run()
            return
        raise AudioUndecodable(attempt(content.decode().split()[1:]))


if __name__ == "__main__":
    child.DecodeRun = TakenOver  # type: ignore[misc]
    child.main(sys.argv[1:])
