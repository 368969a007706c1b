"""The filter of system calls as a program of classic BPF. A pure function; ``kernel`` installs the program.

Linux, Documentation/userspace-api/seccomp_filter.rst and include/uapi/linux/{seccomp,bpf_common,filter}.h.
"""

import errno
import struct
from typing import Final, NamedTuple

from models.media.sandbox.system_calls import (
    ALLOWED,
    NEWER_CALLS,
    REFUSED_WITH,
    Architecture,
    Condition,
    conditions,
)

LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
RETURN: Final = 0x06  # BPF_RET | BPF_K
ALLOW: Final = 0x7FFF0000
ERROR: Final = 0x00050000  # the error number is the lower half
KILL: Final = 0x80000000  # the process; the parent sees SIGSYS
_CALL_OFFSET: Final = 0  # of struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]
_ARCHITECTURE_OFFSET: Final = 4
_ARGUMENTS_OFFSET: Final = 16


class Instruction(NamedTuple):
    """One instruction (struct sock_filter). Jumps count the instructions that are skipped."""

    code: int
    operand: int
    jump_if_true: int = 0
    jump_if_false: int = 0

    def packed(self) -> bytes:
        """Return it as the kernel reads it."""
        return struct.pack("=HBBI", self.code, self.jump_if_true, self.jump_if_false, self.operand)


def program(architecture: Architecture, *, pid: int) -> list[Instruction]:
    """Return the filter for a process with this id. Everything that is not allowed is refused.

    A call made for another architecture (i386 on x86-64) ends the process: no library of ours makes one.
    """
    numbers = architecture.numbers
    instructions = [
        Instruction(LOAD, _ARCHITECTURE_OFFSET),
        Instruction(EQUAL, architecture.audit, jump_if_true=1),
        Instruction(RETURN, KILL),
        Instruction(LOAD, _CALL_OFFSET),
        # The numbers of x32, another set for the same architecture, are above these too.
        Instruction(AT_LEAST, NEWER_CALLS, jump_if_false=1),
        Instruction(RETURN, ERROR | errno.ENOSYS),
    ]
    for name in ALLOWED:
        if name in numbers:
            instructions += [
                Instruction(EQUAL, numbers[name], jump_if_false=1),
                Instruction(RETURN, ALLOW),
            ]
    for condition in conditions(pid):
        instructions += _examine(condition, numbers[condition.call])
    for name, error in REFUSED_WITH.items():
        if name in numbers:
            instructions += [
                Instruction(EQUAL, numbers[name], jump_if_false=1),
                Instruction(RETURN, ERROR | error),
            ]
    return [*instructions, Instruction(RETURN, ERROR | errno.EPERM)]


def _examine(condition: Condition, number: int) -> list[Instruction]:
    """Return the instructions that decide about a call by one of its arguments.

    The lower half of an argument comes first: both architectures are little-endian.
    """
    decision = [
        Instruction(LOAD, _ARGUMENTS_OFFSET + 8 * condition.argument),
        Instruction(AND, condition.mask),
    ]
    for value in condition.values:
        decision += [Instruction(EQUAL, value, jump_if_false=1), Instruction(RETURN, ALLOW)]
    decision.append(Instruction(RETURN, ERROR | errno.EPERM))
    return [Instruction(EQUAL, number, jump_if_false=len(decision)), *decision]
