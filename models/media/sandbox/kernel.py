"""Calls of the kernel that confine a process: prctl, capset, seccomp, Landlock. Linux only, through the C library.

They need no rights, cannot be undone, and hold for children too. Linux, Documentation/userspace-api/landlock.rst,
seccomp_filter.rst and no_new_privs.rst; include/uapi/linux/{prctl,capability,landlock}.h.
"""

import ctypes
import os
import platform
from collections.abc import Sequence
from typing import Any, Final

from models.media.sandbox.filter import Instruction, program
from models.media.sandbox.system_calls import ARCHITECTURES

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522
_SECCOMP_SET_MODE_FILTER: Final = 1
_SECCOMP_GET_ACTION_AVAIL: Final = 2
_SECCOMP_FILTER_FLAG_TSYNC: Final = 1  # for all threads
_SECCOMP_RET_ERRNO: Final = 0x00050000

_LANDLOCK_CREATE_RULESET: Final = 444  # these numbers are the same on all architectures
_LANDLOCK_RESTRICT_SELF: Final = 446
_LANDLOCK_VERSION_FLAG: Final = 1
_LANDLOCK_FILES: Final = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 5: 0xFFFF}
"""Accesses to files that Landlock can refuse, by the version (ABI) that introduced the last of them."""
_LANDLOCK_TCP: Final = (4, 0x3)  # since version 4: bind and connect
_LANDLOCK_SCOPES: Final = (6, 0x3)  # since version 6: abstract UNIX sockets and signals of other processes


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _RulesetAttributes(ctypes.Structure):
    _fields_ = [
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


def end_with_parent(signal_number: int) -> None:
    """Have the kernel send this signal when the parent's thread ends. Raises OSError."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def hide_memory() -> None:
    """Hide this process's environment and memory from others of the same user, and from core dumps.

    Raises OSError. A debugger or profiler of the same user cannot attach any more.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def give_up_privileges() -> None:
    """Drop all capabilities, and let no program that is started have more rights. Raises OSError."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, twice 32 bits
    _checked(_libc().capset(ctypes.byref(header), ctypes.byref(none)), "capset")


def filter_is_available() -> bool:
    """Return whether this process may install the filter of system calls."""
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return False
    action = ctypes.c_uint32(_SECCOMP_RET_ERRNO)
    return _call(architecture.seccomp, _SECCOMP_GET_ACTION_AVAIL, 0, ctypes.byref(action)) == 0


def install_filter() -> None:
    """Refuse all system calls that decoding does not need, to all threads. Raises OSError.

    Needs ``give_up_privileges`` first.
    """
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        raise OSError(f"system calls are filtered on {' and '.join(ARCHITECTURES)}, not on {platform.machine()}")
    instructions = program(architecture, pid=os.getpid())
    code = ctypes.create_string_buffer(_packed(instructions))
    filtered = _FilterProgram(len(instructions), ctypes.cast(code, ctypes.c_void_p))
    _checked(
        _call(architecture.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, ctypes.byref(filtered)),
        "seccomp",
    )


def landlock_version() -> int:
    """Return Landlock's version (ABI); 0 where the kernel does not have it or a container forbids it."""
    return max(0, _call(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION_FLAG))


def install_landlock(version: int) -> None:
    """Refuse to this thread all files, TCP, and processes outside, as far as this version can. Raises OSError.

    Needs ``give_up_privileges`` first. What is open stays open. No rule is added, so nothing is allowed.
    """
    attributes = _RulesetAttributes(
        handled_access_fs=next(
            files for since, files in sorted(_LANDLOCK_FILES.items(), reverse=True) if since <= version
        ),
        handled_access_net=_LANDLOCK_TCP[1] if version >= _LANDLOCK_TCP[0] else 0,
        scoped=_LANDLOCK_SCOPES[1] if version >= _LANDLOCK_SCOPES[0] else 0,
    )
    # Kernels accept a longer structure than they know if the rest is zero.
    ruleset = _checked(
        _call(_LANDLOCK_CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0),
        "landlock_create_ruleset",
    )
    try:
        _checked(_call(_LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)


def unshare_nothing() -> bool:
    """Call unshare without flags, which does nothing, and return whether the kernel allowed the call."""
    return int(_libc().unshare(0)) == 0


def _packed(instructions: Sequence[Instruction]) -> bytes:
    return b"".join(each.packed() for each in instructions)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(operation: int, argument: int) -> None:
    zero = ctypes.c_ulong(0)
    _checked(_libc().prctl(operation, ctypes.c_ulong(argument), zero, zero, zero), "prctl")


def _call(number: int, *arguments: Any) -> int:
    call = _libc().syscall
    call.restype = ctypes.c_long
    return int(call(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)))


def _checked(result: int, call: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result
