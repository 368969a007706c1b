"""The interface that places need from a connection."""

from typing import Protocol


class Connection(Protocol):
    """A connection of a client; compared by identity."""

    address: str
    is_kept: bool
    """Whether it has one of the places kept for health and metrics."""
