"""The instruments that the gateway measures with; the wiring provides Prometheus's."""

from collections.abc import Callable
from typing import Protocol, Self

from schemas.monitoring import Metric


class Counter(Protocol):
    """A number that grows."""

    def labels(self, *values: str) -> Self:
        """Return the counter of these values of its labels."""
        ...

    def inc(self, amount: float = 1) -> None:
        """Add to it."""
        ...


class Gauge(Protocol):
    """A number that is read when the metrics are."""

    def labels(self, *values: str) -> Self:
        """Return the gauge of these values of its labels."""
        ...

    def set(self, value: float) -> None:
        """Set it."""
        ...

    def set_function(self, f: Callable[[], float]) -> None:
        """Read it from a function whenever the metrics are read."""
        ...


class Histogram(Protocol):
    """A distribution."""

    def labels(self, *values: str) -> Self:
        """Return the histogram of these values of its labels."""
        ...

    def observe(self, amount: float) -> None:
        """Add a value."""
        ...


class Instruments(Protocol):
    """The instruments of ``rows.EXPORTED_METRICS``. Safe from any thread; never blocks."""

    def counter(self, row: Metric) -> Counter:
        """Return the counter of a row."""
        ...

    def gauge(self, row: Metric) -> Gauge:
        """Return the gauge of a row."""
        ...

    def histogram(self, row: Metric) -> Histogram:
        """Return the histogram of a row."""
        ...

    def exposition(self) -> bytes:
        """Return the values of all rows in Prometheus's text format."""
        ...
