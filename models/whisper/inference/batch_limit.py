"""How many rows a batch may have: halved when the device runs out of memory, grown again by full batches. Pure."""

from dataclasses import dataclass, field
from typing import Final

GROW_AFTER_BATCHES: Final = 16
"""Full batches without running out of memory before the batch grows by a step."""

GROWTH_STEPS: Final = 8
"""Steps from nothing to the largest batch: one that was halved is whole again after 64 full ones."""


@dataclass(slots=True)
class BatchLimit:
    """The rows of a batch: ``largest`` where memory allows. Not thread-safe."""

    largest: int
    rows: int = field(init=False)
    _full_batches: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.rows = self.largest

    def on_out_of_memory(self, rows: int) -> None:
        """Halve the batch, after so many rows did not fit."""
        self.rows = min(self.rows, max(1, rows // 2))  # a larger batch may have been prepared before
        self._full_batches = 0

    def on_success(self, rows: int) -> None:
        """Count a batch that fitted; only full ones say anything about the memory that more rows need."""
        if rows < self.rows or self.rows >= self.largest:
            return
        self._full_batches += 1
        if self._full_batches >= GROW_AFTER_BATCHES:
            self.rows = min(self.largest, self.rows + max(1, self.largest // GROWTH_STEPS))
            self._full_batches = 0
