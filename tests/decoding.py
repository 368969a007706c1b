"""A pool of real decoders, and recordings to feed it."""

import queue
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.media.messages import Finished
from models.media.pool import DecoderPool, Delivery, Failed, MediaJob
from models.media.spool import FeatureSpool
from schemas.errors import KascribeError
from schemas.options import Lane
from schemas.settings import WhisperSettings
from tests.recordings import Format, write

WAV = Format("wav", "pcm_s16le", "wav")


class Decoders:
    """A pool and a way to wait for it."""

    def __init__(self, settings: WhisperSettings) -> None:
        self.pool = DecoderPool(settings)

    def start(
        self,
        path: Path,
        *,
        vad: bool = True,
        lane: Lane = Lane.BULK,
        cancelled: Callable[[], bool] = lambda: False,
        spool: FeatureSpool | None = None,
    ) -> queue.SimpleQueue[Delivery]:
        """Where the deliveries for a file arrive."""
        inbox: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self.pool.submit(
            MediaJob(
                path=path,
                spool=spool or FeatureSpool(mel_bands=80),
                split=False,
                vad=vad,
                mel_bands=80,
                lane=lane,
                deliver=inbox.put,
                cancelled=cancelled,
            )
        )
        return inbox

    def outcome(self, path: Path, *, vad: bool = True) -> Finished | KascribeError:
        """How decoding ends."""
        return ending(self.start(path, vad=vad))


def closed_spool() -> FeatureSpool:
    """What a record leaves behind whose caller went away."""
    spool = FeatureSpool(mel_bands=80)
    spool.close()
    return spool


def ending(inbox: queue.SimpleQueue[Delivery]) -> Finished | KascribeError:
    """The last delivery: what was found, or the error."""
    while True:
        delivery = inbox.get(timeout=60)
        if isinstance(delivery, Failed):
            return delivery.error
        if isinstance(delivery, Finished):
            return delivery


def long_recording(directory: Path) -> Path:
    """Nine minutes of noise: long enough to be caught in the middle."""
    return write(directory / "long.wav", np.random.default_rng(1).random(9 * 60 * 16_000, np.float32), WAV)
