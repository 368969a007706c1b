"""A unit's filter of system calls, installed as systemd would, without systemd."""

import ctypes
import re
import struct
import subprocess
from collections.abc import Callable
from ctypes.util import find_library
from functools import cache
from pathlib import Path
from typing import Final

from tests.support.listening import missing

_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW: Final = 0x7FFF0000
_ERROR: Final = 0x00050000
_KILL: Final = 0x80000000
_EPERM: Final = 1


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def filter_of(unit: Path) -> tuple[frozenset[str], int]:
    """Return the system calls that a unit allows, and what the kernel does at others: refuse, or kill."""
    allowed: set[str] = set()
    text = unit.read_text(encoding="utf-8")
    for line in re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE):
        named = {call for name in line.removeprefix("~").split() for call in _expanded(name)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    is_refused = re.search(r"^SystemCallErrorNumber=EPERM$", text, re.MULTILINE)
    return frozenset(allowed), _ERROR | _EPERM if is_refused else _KILL


def under_filter(calls: frozenset[str], otherwise: int) -> Callable[[], None]:
    """Return a ``preexec_fn`` with which a process may make these system calls only."""
    numbers = sorted(number for call in calls if (number := _number(call)) >= 0)
    instructions = [(_LOAD, 0, 0, 0)]
    for number in numbers:
        instructions += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    instructions.append((_RETURN, 0, 0, otherwise))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in instructions))
    libc = ctypes.CDLL(None, use_errno=True)

    def confine() -> None:
        filtered = _Program(len(instructions), ctypes.cast(program, ctypes.c_void_p))
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
            _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filtered), 0, 0
        ):
            raise OSError(ctypes.get_errno(), "the kernel takes no seccomp filter")

    return confine


@cache
def _expanded(name: str) -> frozenset[str]:
    """Return the calls of a group as systemd knows it, groups within it too; a call is itself."""
    if not name.startswith("@"):
        return frozenset({name})
    shown = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=False
    )
    if shown.returncode:
        missing(f"systemd-analyze cannot show {name}: {shown.stderr}")
    lines = [line.strip() for line in shown.stdout.splitlines()[1:]]
    return frozenset(call for line in lines if line and not line.startswith("#") for call in _expanded(line))


def _number(call: str) -> int:
    library = find_library("seccomp")
    if library is None:
        missing("libseccomp is not installed")
    return int(ctypes.CDLL(library).seccomp_syscall_resolve_name(call.encode()))
