"""A model that returns the name of each row as its text, and rows that are named by their duration."""

import threading
from collections.abc import Sequence

import numpy as np

from models.whisper.gate import Action, Decoded, Judgement, Search
from models.whisper.inference.features import FeatureBatch
from models.whisper.inference.ports import OutOfMemory
from models.whisper.rows import EncoderInput, Features, Hear, Heard, Row
from schemas.options import Lane


class Echo:
    """A model that says which row it heard: the first feature is its name. It has a limit, like a GPU's memory."""

    def __init__(self, *, memory_rows: int = 1_000, poison: float | None = None) -> None:
        self.batches: list[list[float]] = []
        self.rehearsed: list[int] = []
        self.failure: BaseException | None = None
        self.memory_rows = memory_rows
        self._poison = poison
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def prepare(self, features: Sequence[Features]) -> FeatureBatch:
        """Keep the names."""
        return FeatureBatch(np.array([each[0, 0] for each in features], np.float32), (1,) * len(features))

    def hear(self, batch: FeatureBatch, operations: Sequence[Hear]) -> Sequence[Heard]:
        """One text per row: its name."""
        self.entered.set()
        self.gate.wait()
        names = [float(name) for name in batch.array]
        assert len(names) == len(operations)
        if self.failure is not None:
            raise self.failure
        self._allocate(len(names))
        if self._poison in names:
            raise RuntimeError("this row is not for us")
        self.batches.append(names)
        return [heard(f"{name:g}") for name in names]

    def rehearse(self, rows: int) -> None:
        """Find out whether a batch fits."""
        self.rehearsed.append(rows)
        self._allocate(rows)

    def _allocate(self, rows: int) -> None:
        if rows > self.memory_rows:
            raise OutOfMemory("CUDA out of memory")


def heard(text: str) -> Heard:
    """Return a good result."""
    decoded = Decoded(tokens=(1,), text=text, avg_logprob=-0.1, no_speech_prob=0.0, penalty=1.0, truncated=False)
    return Heard(language="en", decoded=decoded, judgement=Judgement(Action.ACCEPT, decoded))


def row(
    name: float, *, job: object = "job", lane: Lane = Lane.BULK, beam_size: int = 5, position: float = 0.0
) -> Row:
    """Return a row to hear, named by its duration and its first feature."""
    encoder_input = EncoderInput(lambda: np.full((80, 1), name, np.float32), name)
    return Row(
        job=job, lane=lane, encoder_input=encoder_input, operation=Hear(Search(beam_size)), position=position
    )
