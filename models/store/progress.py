"""Progress reports of a pull."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transfer:
    """Progress of a pull. ``path`` is the current file; the byte counts are those of the whole model."""

    path: str
    done_bytes: int
    total_bytes: int


Progress = Callable[[Transfer], None]
"""Called for every chunk that arrives, in the thread that pulls. Must not block."""


def ignore(_transfer: Transfer) -> None:
    """Ignore a report."""
