"""The filter of system calls, run by an interpreter of its instructions on both architectures."""

import errno
import re
import struct
from pathlib import Path
from typing import Final

import pytest

from models.media.sandbox.filter import (
    ALLOW,
    AND,
    AT_LEAST,
    EQUAL,
    ERROR,
    KILL,
    LOAD,
    RETURN,
    Instruction,
    program,
)
from models.media.sandbox.system_calls import ALLOWED, ARCHITECTURES, REFUSED_WITH, Architecture

PID: Final = 4321
I386: Final = 0x40000003
NAMES: Final = tuple(ARCHITECTURES)


def decide(architecture: Architecture, number: int, *arguments: int, audit: int | None = None) -> int:
    """Return what the kernel would: an action and its value."""
    words = struct.pack("=iIQ6Q", number, audit or architecture.audit, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    instructions = program(architecture, pid=PID)
    accumulator = at = 0
    while True:
        here = instructions[at]
        at += 1
        if here.code == RETURN:
            return here.operand
        if here.code == LOAD:
            (accumulator,) = struct.unpack_from("=I", words, here.operand)
        elif here.code == AND:
            accumulator &= here.operand
        else:
            holds = {EQUAL: accumulator == here.operand, AT_LEAST: accumulator >= here.operand}[here.code]
            at += here.jump_if_true if holds else here.jump_if_false


@pytest.fixture(params=NAMES)
def machine(request: pytest.FixtureRequest) -> Architecture:
    """Return each architecture."""
    return ARCHITECTURES[request.param]


def test_what_decoding_needs_is_allowed(machine: Architecture) -> None:
    """Whatever the arguments."""
    allowed = [name for name in ALLOWED if name in machine.numbers]
    assert {decide(machine, machine.numbers[name], 7, 7, 7, 7) for name in allowed} == {ALLOW}
    assert set(ALLOWED) - set(machine.numbers) <= {"poll", "time", "dup2"}  # ARM64 never had them


def test_everything_else_is_refused(machine: Architecture) -> None:
    """Numbers that no table names, too, present and future."""
    named = {number: name for name, number in machine.numbers.items()}
    for number in range(600):
        if number not in named:
            newer = number >= 424
            assert decide(machine, number) == ERROR | (errno.ENOSYS if newer else errno.EPERM), number
    for name, error in REFUSED_WITH.items():
        if name in machine.numbers:
            assert decide(machine, machine.numbers[name]) == ERROR | error


def test_calls_of_another_architecture_end_the_process(machine: Architecture) -> None:
    """Their numbers mean other calls: 41 is socket on x86-64 and dup on i386."""
    assert decide(machine, 0, audit=I386) == KILL
    assert decide(machine, 0x40000000 | 1) == ERROR | errno.ENOSYS  # x32


@pytest.mark.parametrize(
    ("call", "allowed", "refused"),
    [
        ("clone", (0x3D0F00,), (0x11,)),  # a thread as glibc starts it; fork
        ("clone", (0x7D0F00,), (0x3D0F00 | 0x10000000,)),  # musl's thread; one in a new namespace of users
        ("mmap", (0, 4096, 3), (0, 4096, 7)),  # with PROT_EXEC
        ("mprotect", (0, 4096, 1), (0, 4096, 5)),
        ("newfstatat", (3, 0, 0, 0x1000), (3, 0, 0, 0)),  # fstat; stat
        ("fcntl", (0, 1030), (0, 8)),  # F_DUPFD_CLOEXEC; F_SETOWN
        ("prlimit64", (0, 7), (1, 7)),
        ("tgkill", (PID, PID, 6), (1, 1, 6)),
        ("prctl", (39,), (4,)),  # PR_GET_NO_NEW_PRIVS; PR_SET_DUMPABLE
    ],
)
def test_some_calls_go_by_an_argument(
    machine: Architecture, call: str, allowed: tuple[int, ...], refused: tuple[int, ...]
) -> None:
    """The same call is decoding in one case and a way out in the other."""
    assert decide(machine, machine.numbers[call], *allowed) == ALLOW
    assert decide(machine, machine.numbers[call], *refused) == ERROR | errno.EPERM


def test_the_program_fits_into_the_kernels_limits(machine: Architecture) -> None:
    """At most 4,096 instructions, and jumps of at most 255."""
    instructions = program(machine, pid=PID)
    assert len(instructions) < 4096
    assert max(max(each.jump_if_true, each.jump_if_false) for each in instructions) < 256
    assert {len(each.packed()) for each in instructions} == {8}
    assert Instruction(RETURN, ALLOW).packed() == struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_numbers_are_the_kernels(name: str, header: str) -> None:
    """Compared with the headers of the C library's package, where they are installed."""
    if not Path(header).exists():
        pytest.skip(f"needs {header}")
    text = Path(header).read_text(encoding="utf-8")
    known = {call: int(number) for call, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    known["newfstatat"] = known.get("newfstatat", known.get("fstatat", 0))
    machine = ARCHITECTURES[name]
    assert {call: known[call] for call in machine.numbers} == dict(machine.numbers)
    assert known["seccomp"] == machine.seccomp
