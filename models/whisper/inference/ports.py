"""The engine's port to a model."""

from collections.abc import Sequence
from typing import Protocol

from models.whisper.inference.features import FeatureBatch
from models.whisper.rows import Features, Hear, Heard


class OutOfMemory(Exception):
    """The batch does not fit; a smaller one may."""


class DeviceLost(Exception):
    """The device fails every further call of this process: CUDA errors are sticky."""


class Model(Protocol):
    """The engine's port to a model. Called from several threads at once."""

    def prepare(self, features: Sequence[Features]) -> FeatureBatch:
        """Put the features of a batch together; may be called while other batches are heard. Blocks."""
        ...

    def hear(self, batch: FeatureBatch, operations: Sequence[Hear]) -> Sequence[Heard]:
        """Return one result per row. Rows share a batch key. Blocks.

        Raises OutOfMemory, DeviceLost, or any other error. Where only the alignment of a row fails, its result has
        the error.
        """
        ...

    def rehearse(self, rows: int) -> None:
        """Run the steps of a window with a full batch, so that memory and compilation fail or succeed now. Blocks.

        Raises OutOfMemory, DeviceLost, or any other error.
        """
        ...
