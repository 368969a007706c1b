"""System calls that decoding needs, and their numbers on each architecture.

Numbers: Linux, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h (ARM64). Constants of
AUDIT_ARCH: include/uapi/linux/audit.h.
"""

import errno
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ALLOWED: Final = (
    # Ordered by frequency: the filter compares one after another.
    *("read", "write", "lseek", "futex", "brk", "munmap", "mremap", "madvise", "fstat", "getrusage"),
    # Of descriptors that are open. recvmsg receives those of the next file.
    *("recvmsg", "close", "dup2", "dup3", "readv", "writev", "pread64", "pwrite64", "poll", "ppoll"),
    # Time and chance.
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "getrandom"),
    # Threads, signals of its own, the end.
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "exit", "exit_group"),
    *("set_robust_list", "rseq", "sched_yield", "sched_getaffinity", "getcpu"),
    *("getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "sysinfo", "uname"),
)
"""System calls that are allowed whatever their arguments."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A system call is allowed if ``argument`` (counted from 0), masked, has one of the values.

    Only the lower 32 bits are compared: each of these arguments is an int, or flags that fit into one.
    """

    call: str
    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF


_CLONE_THREAD: Final = 0x00010000
_CLONE_NAMESPACES: Final = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_AT_EMPTY_PATH: Final = 0x1000
_FCNTL_OF_DESCRIPTORS: Final = (0, 1, 2, 3, 4, 1030)  # F_DUPFD, GETFD, SETFD, GETFL, SETFL, F_DUPFD_CLOEXEC
_PR_GET_NO_NEW_PRIVS: Final = 39


def conditions(pid: int) -> tuple[Condition, ...]:
    """Return the system calls that a process with this id may make with some arguments only."""
    return (
        Condition("mmap", 2, (0,), mask=mmap.PROT_EXEC),  # no new code
        Condition("mprotect", 2, (0,), mask=mmap.PROT_EXEC),
        Condition("newfstatat", 3, (_AT_EMPTY_PATH,)),  # fstat() in glibc 2.33 to 2.38
        Condition("fcntl", 1, _FCNTL_OF_DESCRIPTORS),  # not F_SETOWN, which sends signals to any process
        Condition("clone", 0, (_CLONE_THREAD,), mask=_CLONE_THREAD | _CLONE_NAMESPACES),
        Condition("prlimit64", 0, (0,)),  # its own limits: the soft one of processor time moves with each block
        Condition("tgkill", 0, (pid,)),  # abort()
        Condition("prctl", 0, (_PR_GET_NO_NEW_PRIVS,)),
    )


REFUSED_WITH: Final[Mapping[str, int]] = {
    "ioctl": errno.ENOTTY,  # what Python expects of a descriptor that is no terminal
    "statx": errno.ENOSYS,  # libraries then use fstat
    "open": errno.EACCES,
    "openat": errno.EACCES,
    "creat": errno.EACCES,
}
"""Errors other than EPERM, with which the C library and Python continue."""
NEWER_CALLS: Final = 424
"""Numbers from here on are the same on all architectures. They do not exist in the sandbox (ENOSYS), so that the C
library takes the older call, which a filter can examine: clone for clone3, openat for openat2."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A processor architecture: its constant in seccomp's data, and the numbers of its system calls."""

    audit: int
    numbers: Mapping[str, int]
    seccomp: int


_X86_64: Final = {
    "read": 0, "write": 1, "open": 2, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "mmap": 9, "mprotect": 10,
    "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "ioctl": 16,
    "pread64": 17, "pwrite64": 18, "readv": 19, "writev": 20, "sched_yield": 24, "mremap": 25, "madvise": 28,
    "dup2": 33, "nanosleep": 35, "getpid": 39, "recvmsg": 47, "clone": 56, "exit": 60, "uname": 63, "fcntl": 72,
    "creat": 85, "gettimeofday": 96, "getrusage": 98, "sysinfo": 99, "getuid": 102, "getgid": 104, "geteuid": 107,
    "getegid": 108, "getppid": 110, "sigaltstack": 131, "prctl": 157, "gettid": 186, "time": 201, "futex": 202,
    "sched_getaffinity": 204, "restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229,
    "clock_nanosleep": 230, "exit_group": 231, "tgkill": 234, "openat": 257, "newfstatat": 262, "ppoll": 271,
    "set_robust_list": 273, "dup3": 292, "prlimit64": 302, "getcpu": 309, "getrandom": 318, "statx": 332,
    "rseq": 334,
}  # fmt: skip
_ARM64: Final = {
    "dup3": 24, "fcntl": 25, "ioctl": 29, "openat": 56, "close": 57, "lseek": 62, "read": 63, "write": 64,
    "readv": 65, "writev": 66, "pread64": 67, "pwrite64": 68, "ppoll": 73, "newfstatat": 79, "fstat": 80,
    "exit": 93, "exit_group": 94, "futex": 98, "set_robust_list": 99, "nanosleep": 101, "clock_gettime": 113,
    "clock_getres": 114, "clock_nanosleep": 115, "sched_getaffinity": 123, "sched_yield": 124,
    "restart_syscall": 128, "tgkill": 131, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135,
    "rt_sigreturn": 139, "uname": 160, "getrusage": 165, "prctl": 167, "getcpu": 168, "gettimeofday": 169,
    "getpid": 172, "getppid": 173, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178,
    "sysinfo": 179, "recvmsg": 212, "brk": 214, "munmap": 215, "mremap": 216, "clone": 220, "mmap": 222,
    "mprotect": 226, "madvise": 233, "prlimit64": 261, "getrandom": 278, "statx": 291, "rseq": 293,
}  # fmt: skip
ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "x86_64": Architecture(audit=0xC000003E, numbers=_X86_64, seccomp=317),
    "aarch64": Architecture(audit=0xC00000B7, numbers=_ARM64, seccomp=277),
}
"""By ``platform.machine()``. The libraries that decode have wheels for these two."""
