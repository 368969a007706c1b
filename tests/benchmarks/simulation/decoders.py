"""Decoders at a given speed. Their messages are parsed and delivered as by the threads of the real pool."""

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from models.media.messages import ReplyParser
from models.media.pool import DecodeFailed, DecoderEvent
from models.media.spool import FeatureSpool
from schemas.errors import JobCancelled
from tests.benchmarks.simulation.device import pause
from tests.benchmarks.simulation.load import Recording


@dataclass(frozen=True, slots=True)
class DecodeJob:
    """A recording to decode into a spool."""

    recording: Recording
    spool: FeatureSpool
    on_event: Callable[[DecoderEvent], None]


class Decoders:
    """Together they decode ``speed`` seconds of audio per second, and each takes one recording at a time.

    Features are holes in the spool's file: as fast to read as what another process has just written.
    """

    def __init__(self, *, speed: float, processes: int, clock: Callable[[], float]) -> None:
        self._speed_each = speed / processes
        self._clock = clock
        self._jobs: queue.SimpleQueue[DecodeJob | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"decoder-{number}", daemon=True)
            for number in range(processes)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: DecodeJob) -> None:
        """Queue a recording. Does not block."""
        self._jobs.put(job)

    def close(self) -> None:
        """Fail what is queued or decoded. Blocks until the threads have ended."""
        self._closed.set()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._decode(job)

    def _decode(self, job: DecodeJob) -> None:
        parser = ReplyParser()
        started_at = self._clock()
        try:
            os.truncate(job.spool.path, job.recording.spool_bytes)
        except FileNotFoundError:  # cancelled while it was queued
            return
        job.spool.unlink()
        for decoded_seconds, reply in job.recording.replies:
            pause(started_at + decoded_seconds / self._speed_each - self._clock())
            if self._closed.is_set():
                job.on_event(DecodeFailed(JobCancelled("the decoders are shut down")))
                return
            for event in parser.feed(reply):
                job.on_event(event)  # type: ignore[arg-type]  # no recording is refused here
