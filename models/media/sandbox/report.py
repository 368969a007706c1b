"""Protections of a decoding child, and the report of those that are in force."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict


class Protection(StrEnum):
    """What the sandbox refuses to a child."""

    PRIVILEGES = "privileges"
    PARENT_MEMORY = "parent_memory"
    FILES = "files"
    NETWORK = "network"
    PROCESSES = "processes"
    KERNEL = "kernel"


MEANINGS: Final[dict[Protection, str]] = {
    Protection.PRIVILEGES: "gaining rights, through set-user-ID programs or capabilities that the parent has",
    Protection.PARENT_MEMORY: "reading the parent's environment and memory",
    Protection.FILES: "opening files",
    Protection.NETWORK: "making sockets",
    Protection.PROCESSES: "starting processes and programs",
    Protection.KERNEL: "other system calls, such as mount, ptrace, kill, keyctl and io_uring",
}
"""What a child cannot do where the protection is in force."""


class SandboxReport(BaseModel):
    """What a child found when it tried what each protection refuses.

    ``is_on``: false where the settings turn the sandbox off. ``seccomp``: the filter of system calls is in force.
    ``landlock_abi``: Landlock's version, 0 where it is not in force. ``problems``: the kernel's answers where
    something could not be installed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    is_on: bool = True
    in_force: tuple[Protection, ...]
    seccomp: bool
    landlock_abi: int
    problems: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Protection, ...]:
        """The protections that are not in force."""
        return tuple(each for each in Protection if each not in self.in_force)
