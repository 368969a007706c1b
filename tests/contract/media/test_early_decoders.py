"""Children that start with the pool count as idle until they look at the queue."""

import threading
from typing import Final

from models.media.messages import DecodeFinished
from models.media.pool import EARLY_PROCESSES, DecoderPool
from models.media.process import DecoderProcess
from schemas.settings import WhisperSettings
from tests.sound.decoding import Decoders, ending
from tests.support.listening import speech


class PoolThatStops(DecoderPool):
    """Stops its early children between their start and their first look at the queue."""

    stopped: Final = threading.Semaphore(0)
    goes_on: Final = threading.Event()

    def _start_early(self) -> DecoderProcess | None:
        child = super()._start_early()
        self.stopped.release()
        self.goes_on.wait(timeout=60)
        return child


def test_a_child_that_has_just_started_still_counts() -> None:
    """Two files wait for the two early children, so a third file starts one more child and not two."""
    decoders = Decoders(WhisperSettings(decoder_processes=4), pool=PoolThatStops)
    try:
        assert all(PoolThatStops.stopped.acquire(timeout=60) for _ in range(EARLY_PROCESSES))
        waiting = [decoders.start(speech("en-digits.ogg")) for _ in range(EARLY_PROCESSES + 1)]
        assert all(isinstance(ending(each), DecodeFinished) for each in waiting)
        assert len(decoders.pool.pids()) == EARLY_PROCESSES + 1
    finally:
        PoolThatStops.goes_on.set()
        decoders.pool.close()
