"""Instruments that measure nothing, for an application that is built to be described."""

from collections.abc import Callable
from typing import Self

from schemas.monitoring import Metric


class Unmetered:
    """Every instrument of ``ports.Instruments`` at once."""

    def counter(self, _row: Metric) -> Self:
        """See ``Instruments``."""
        return self

    gauge = histogram = counter

    def exposition(self) -> bytes:
        """See ``Instruments``."""
        return b""

    def labels(self, *_values: str) -> Self:
        """See ``Counter``."""
        return self

    def inc(self, amount: float = 1) -> None:
        """See ``Counter``."""

    def set(self, value: float) -> None:
        """See ``Gauge``."""

    def set_function(self, f: Callable[[], float]) -> None:
        """See ``Gauge``."""

    def observe(self, amount: float) -> None:
        """See ``Histogram``."""
