"""Processes that the kernel keeps from calls (seccomp): sockets of the internet, or sandboxes of their own."""

import ctypes
import platform
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import pytest

_SOCKET_CALL: Final = {"x86_64": 41, "aarch64": 198}
_SANDBOX_CALLS: Final = {"x86_64": (317, 444), "aarch64": (277, 444)}  # seccomp, landlock_create_ruleset
_INTERNET: Final = (2, 10)  # AF_INET, AF_INET6
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_KILL, _ALLOW, _NOT_PERMITTED = 0x80000000, 0x7FFF0000, 0x00050001
_NUMBER, _FIRST_ARGUMENT = 0, 16


Number = TypeVar("Number")


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def without_internet() -> Callable[[], None]:
    """Return a ``preexec_fn``: the process, and all it starts, dies of SIGSYS when it makes an internet socket."""
    number = _of_this_machine(_SOCKET_CALL)
    return _confined(
        [
            (_LOAD, 0, 0, _NUMBER),
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_EQUAL, 1, 0, _INTERNET[0]),
            (_EQUAL, 0, 1, _INTERNET[1]),
            (_RETURN, 0, 0, _KILL),
            (_RETURN, 0, 0, _ALLOW),
        ]
    )


def without_sandboxes() -> Callable[[], None]:
    """Return a ``preexec_fn``: seccomp and Landlock are refused, as some containers do (EPERM)."""
    seccomp, landlock = _of_this_machine(_SANDBOX_CALLS)
    return _confined(
        [
            (_LOAD, 0, 0, _NUMBER),
            (_EQUAL, 1, 0, seccomp),
            (_EQUAL, 0, 1, landlock),
            (_RETURN, 0, 0, _NOT_PERMITTED),
            (_RETURN, 0, 0, _ALLOW),
        ]
    )


def _of_this_machine(numbers: Mapping[str, Number]) -> Number:
    number = numbers.get(platform.machine())
    if platform.system() != "Linux" or number is None:
        pytest.skip("seccomp filters are written for Linux on x86-64 and ARM64")
    return number


def _confined(instructions: Sequence[tuple[int, int, int, int]]) -> Callable[[], None]:
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in instructions))
    libc = ctypes.CDLL(None, use_errno=True)

    def confine() -> None:
        filtered = _Program(len(instructions), ctypes.cast(program, ctypes.c_void_p))
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
            _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filtered), 0, 0
        ):
            raise OSError(ctypes.get_errno(), "the kernel takes no seccomp filter")

    return confine
