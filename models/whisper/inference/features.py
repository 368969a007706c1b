"""Buffers for the features of a batch, reused: a fresh one of 48 MB costs more page faults than copying costs."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.media.speech.windows import WINDOW_FRAMES
from models.whisper.rows import Features

IDLE_BUFFERS: Final = 4
"""Buffers kept for later batches: those of the calls in progress, and of the batches prepared ahead."""


@dataclass(slots=True, eq=False)
class FeatureBatch:
    """Features of a batch, padded with zeros to whole windows; ``frames`` has each row's own count.

    A context: at its end the buffer goes back, and ``array`` must not be used any more.
    """

    array: NDArray[np.float32]
    frames: tuple[int, ...]
    buffers: "FeatureBuffers | None" = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        buffers, self.buffers = self.buffers, None
        if buffers is not None:
            buffers.give_back(self.array)


class FeatureBuffers:
    """Fills batches of the shape [rows, mel bands, 3,000 frames]. Thread-safe."""

    def __init__(self, mel_bands: int) -> None:
        self._mel_bands = mel_bands
        self._idle: list[NDArray[np.float32]] = []
        self._lock = threading.Lock()

    def filled(self, features: Sequence[Features]) -> FeatureBatch:
        """Return a batch of these features."""
        array = self._take(len(features))
        for row, each in zip(array, features, strict=True):
            frames = each.shape[1]
            row[:, :frames] = each
            row[:, frames:] = 0.0
        return FeatureBatch(array, tuple(each.shape[1] for each in features), self)

    def give_back(self, array: NDArray[np.float32]) -> None:
        """Keep a buffer for a later batch."""
        whole: Any = array if array.base is None else array.base
        with self._lock:
            if len(self._idle) < IDLE_BUFFERS:
                self._idle.append(whole)

    def _take(self, rows: int) -> NDArray[np.float32]:
        with self._lock:
            fitting = [place for place, each in enumerate(self._idle) if len(each) >= rows]
            if fitting:
                return self._idle.pop(min(fitting, key=lambda place: len(self._idle[place])))[:rows]
            self._idle = self._idle[1:]  # the one that is too small makes room
        return np.empty((rows, self._mel_bands, WINDOW_FRAMES), np.float32)
