"""What a pull tells whoever watches it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far a pull is. ``path`` is the file on its way; the bytes count the whole model."""

    path: str
    done_bytes: int
    total_bytes: int


Progress = Callable[[Transfer], None]
"""Called for every piece that arrives, from the thread that pulls. Must not block."""


def ignore(_transfer: Transfer) -> None:
    """For those who do not watch."""
