"""A process as a holder of partitions: its name in journals, and a sign of life that its machine can see.

To the broker a process that is suspended, or cut off from the network, looks like a dead one. Another process on
the same machine can tell the difference: a socket's name in the kernel's abstract namespace exists until its
process has ended, however that happens. Other machines, and containers with a network namespace of their own, see
nothing.
"""

import secrets
import socket
import string
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from consumers.runtime.offsets.journal import HOLDER_CHARACTERS

_LETTERS: Final = string.digits + string.ascii_lowercase
_PREFIX: Final = "\0kascribe-holder-"


@contextmanager
def visible(holder: str) -> Iterator[None]:
    """Make a holder visible to ``is_alive`` on this machine within the context."""
    with ExitStack() as opened:
        with suppress(OSError):  # no such namespace here, or no descriptor left: this process counts as unseen
            opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)).bind(_PREFIX + holder)
        yield


def new_holder() -> str:
    """Draw a name for a process."""
    return "".join(secrets.choice(_LETTERS) for _ in range(HOLDER_CHARACTERS))


def is_alive(holder: str) -> bool:
    """Return whether a process of that name runs on this machine. False says nothing about other machines."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            probe.connect(_PREFIX + holder)
    except OSError:
        return False
    return True
