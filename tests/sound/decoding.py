"""A pool of real decoders, and recordings to feed it."""

import queue
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from models.media.messages import DecodeFinished
from models.media.pool import DecodeFailed, DecodeJob, DecoderEvent, DecoderPool
from models.media.spool import FeatureSpool
from schemas.clock import SystemClock
from schemas.errors import KascribeError
from schemas.options import Lane
from schemas.settings import WhisperSettings
from tests.sound.recordings import Format, write

WAV: Final = Format("wav", "pcm_s16le", "wav")


class Decoders:
    """A pool of decoders, and calls that wait for their events."""

    def __init__(self, settings: WhisperSettings, *, pool: type[DecoderPool] = DecoderPool) -> None:
        self.pool = pool(settings, clock=SystemClock())

    def start(
        self,
        path: Path,
        *,
        vad: bool = True,
        split: bool = False,
        lane: Lane = Lane.BULK,
        cancelled: Callable[[], bool] = lambda: False,
        spool: FeatureSpool | None = None,
    ) -> queue.SimpleQueue[DecoderEvent]:
        """Submit a file and return the queue on which its events arrive."""
        inbox: queue.SimpleQueue[DecoderEvent] = queue.SimpleQueue()
        self.pool.submit(
            DecodeJob(
                path=path,
                spool=spool or FeatureSpool(mel_bands=80),
                split=split,
                vad=vad,
                mel_bands=80,
                lane=lane,
                on_event=inbox.put,
                cancelled=cancelled,
            )
        )
        return inbox

    def events(self, path: Path, *, vad: bool = True, split: bool = False) -> list[DecoderEvent]:
        """Decode a file and return all of its events. Blocks until the last."""
        inbox = self.start(path, vad=vad, split=split)
        events = [inbox.get(timeout=60)]
        while not isinstance(events[-1], DecodeFinished | DecodeFailed):
            events.append(inbox.get(timeout=60))
        return events

    def outcome(self, path: Path, *, vad: bool = True, split: bool = False) -> DecodeFinished | KascribeError:
        """Decode a file and return how that ended. Blocks."""
        return ending(self.start(path, vad=vad, split=split))


def closed_spool() -> FeatureSpool:
    """Return the spool of a record whose caller has gone."""
    spool = FeatureSpool(mel_bands=80)
    spool.close()
    return spool


def ending(inbox: queue.SimpleQueue[DecoderEvent]) -> DecodeFinished | KascribeError:
    """Wait for the last event: the finding, or the error."""
    while True:
        event = inbox.get(timeout=60)
        if isinstance(event, DecodeFailed):
            return event.error
        if isinstance(event, DecodeFinished):
            return event


def long_recording(directory: Path) -> Path:
    """Write nine minutes of noise: long enough to be caught in the middle."""
    return write(directory / "long.wav", np.random.default_rng(1).random(9 * 60 * 16_000, np.float32), WAV)


def wide_recording(directory: Path) -> Path:
    """Write half a minute of silence on 64 channels, which take a few hundred megabytes when kept apart."""
    path = directory / "wide.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(64)
        file.setsampwidth(2)
        file.setframerate(16_000)
        for _ in range(30):
            file.writeframes(bytes(64 * 2 * 16_000))
    return path
