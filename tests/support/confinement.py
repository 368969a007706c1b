"""Processes that may not make a socket of the internet's families: the kernel kills one that tries (seccomp)."""

import ctypes
import platform
import struct
from collections.abc import Callable
from typing import Final

import pytest

_SOCKET_CALL: Final = {"x86_64": 41, "aarch64": 198}
_INTERNET: Final = (2, 10)  # AF_INET, AF_INET6
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_KILL, _ALLOW = 0x80000000, 0x7FFF0000
_NUMBER, _FIRST_ARGUMENT = 0, 16


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def without_internet() -> Callable[[], None]:
    """Return a ``preexec_fn``: the process, and all it starts, dies of SIGSYS when it makes an internet socket."""
    number = _SOCKET_CALL.get(platform.machine())
    if platform.system() != "Linux" or number is None:
        pytest.skip("seccomp filters are written for Linux on x86-64 and ARM64")
    instructions = [
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 1, 0, _INTERNET[0]),
        (_EQUAL, 0, 1, _INTERNET[1]),
        (_RETURN, 0, 0, _KILL),
        (_RETURN, 0, 0, _ALLOW),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in instructions))
    libc = ctypes.CDLL(None, use_errno=True)

    def confine() -> None:
        filtered = _Program(len(instructions), ctypes.cast(program, ctypes.c_void_p))
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
            _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filtered), 0, 0
        ):
            raise OSError(ctypes.get_errno(), "the kernel takes no seccomp filter")

    return confine
