"""Shows the other processes of this machine that this one lives, for as long as it does.

A process that is suspended, or cut off from the broker, looks from the broker's side like a dead one. On one
machine the difference can be seen: a socket's name in the kernel's abstract namespace is there until its process
has ended, however that happens. Other machines, and containers with a network of their own, see nothing.
"""

import socket
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from consumers.runtime.offsets.journal import new_holder

_PREFIX: Final = "\0kascribe-holder-"


class Lifeline:
    """The name of this process among the holders of partitions; visible to ``lives`` within its context."""

    def __init__(self) -> None:
        self.holder = new_holder()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):  # no such namespace here, or no descriptor left: this process counts as unseen
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.bind(_PREFIX + self.holder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.close()


def lives(holder: str) -> bool:
    """Whether a process of that name is seen to live on this machine. False says nothing about other machines."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            asking.connect(_PREFIX + holder)
    except OSError:
        return False
    return True
