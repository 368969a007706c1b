"""What the engine tells about its work, for metrics and benchmarks."""

from typing import Protocol


class EngineObserver(Protocol):
    """Told of each call. Called from the engine's threads; must not block or raise."""

    def on_batch(self, *, replica: int, rows: int, queued_seconds: float, seconds: float) -> None:
        """Take a call that has ended: its rows, the mean time that they waited for it, and how long it took.

        ``seconds`` is the time in the model, with the copies between host and device. ``replica`` counts from 0.
        """
        ...


class NoObserver:
    """Ignores everything."""

    def on_batch(self, *, replica: int, rows: int, queued_seconds: float, seconds: float) -> None:
        """Do nothing."""
