"""The pool of decoding children: who waits, who is served, what happens when one dies."""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from models.media.messages import Advanced, Finished, Opened, Ready, Refused, Request, WindowReady
from models.media.process import DecoderProcess
from models.media.speech.windows import FRAME_SAMPLES, SAMPLE_RATE_HERTZ
from models.media.spool import FeatureSpool
from schemas.errors import (
    ENGINE,
    AudioEmpty,
    AudioTooLarge,
    AudioTooLong,
    AudioUndecodable,
    ConfigurationError,
    DecoderCrashed,
    DependencyDown,
    InvalidOptions,
    JobCancelled,
    JobError,
    PermanentError,
    Reason,
)
from schemas.options import Lane
from schemas.settings import WhisperSettings

REQUESTS_PER_CHILD = 500
"""Then it is replaced: FFmpeg's resamplers leak a little."""
SPLIT_CHANNELS = 8
"""Channels that the spool's limit leaves room for when each is transcribed by itself."""

_REFUSALS: dict[Reason, type[PermanentError]] = {
    kind.reason: kind for kind in (AudioEmpty, AudioTooLarge, AudioTooLong, AudioUndecodable, InvalidOptions)
}
"""Any other reason is the decoder's own failure, and passes as its crash would."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Decoding ended without success."""

    error: JobError | JobCancelled


Delivery = Opened | WindowReady | Advanced | Finished | Failed


@dataclass(frozen=True, slots=True)
class MediaJob:
    """One file to decode. ``deliver`` is called from the pool's threads and must not block or raise.

    The last delivery is Finished or Failed. ``cancelled`` is asked about ten times a second.
    """

    path: Path
    spool: FeatureSpool
    split: bool
    vad: bool
    mel_bands: int
    lane: Lane
    deliver: Callable[[Delivery], None]
    cancelled: Callable[[], bool]
    track: int | None = None


@dataclass(slots=True)
class _Waiting:
    lanes: dict[Lane, deque[MediaJob]] = field(default_factory=lambda: {lane: deque() for lane in Lane})
    closed: bool = False


class DecoderPool:
    """Persistent children, each kept by a thread of its own.

    Beyond ``decoder_processes`` there is one child for the interactive lane alone, started when it is first
    needed, so that a clip somebody waits for never stands behind hours of bulk audio.
    """

    def __init__(self, settings: WhisperSettings) -> None:
        self._settings = settings
        self._waiting = _Waiting()
        self._changed = threading.Condition()
        self._children: set[DecoderProcess] = set()
        self._first_start: Future[None] = Future()
        everyone = (Lane.INTERACTIVE, Lane.BULK)
        lanes = [everyone] * settings.decoder_processes + [(Lane.INTERACTIVE,)]
        self._keepers = [
            threading.Thread(target=self._keep, args=(served,), name=f"decoder-{number}", daemon=True)
            for number, served in enumerate(lanes)
        ]
        for keeper in self._keepers:
            keeper.start()

    def submit(self, job: MediaJob) -> None:
        """Puts a file in line. Does not block."""
        with self._changed:
            if self._waiting.closed:
                raise DecoderCrashed("the decoders are shut down")
            self._waiting.lanes[job.lane].append(job)
            self._changed.notify_all()

    def wait_ready(self) -> None:
        """Blocks until a child has started. Raises ConfigurationError with what it said when it cannot."""
        try:
            self._first_start.result()
        except (OSError, JobError) as failed:
            raise ConfigurationError(
                f"audio cannot be decoded: {failed}; is KASCRIBE_WHISPER_DECODER_MEMORY_BYTES large enough, "
                "and the installation whole?"
            ) from failed

    def pids(self) -> frozenset[int]:
        """The children that run now."""
        with self._changed:
            return frozenset(child.pid for child in self._children)

    def close(self) -> None:
        """Ends the children; what waits or runs fails with JobCancelled. Safe to repeat."""
        with self._changed:
            self._waiting.closed = True
            waiting = [job for line in self._waiting.lanes.values() for job in line]
            for line in self._waiting.lanes.values():
                line.clear()
            self._changed.notify_all()
        for job in waiting:
            job.deliver(Failed(JobCancelled("the decoders are shut down")))
        for keeper in self._keepers:
            keeper.join()

    def _keep(self, lanes: tuple[Lane, ...]) -> None:
        child: DecoderProcess | None = None
        if Lane.BULK in lanes:
            child = self._started_ahead()
        while (job := self._next(lanes)) is not None:
            try:
                if child is None or not child.alive or child.requests >= REQUESTS_PER_CHILD:
                    child = self._replaced(child)
            except OSError as failed:
                child = None
                down = DependencyDown(ENGINE, f"no decoder can be started: {failed}")
                down.__cause__ = failed
                job.deliver(Failed(down))
            else:
                self._serve(job, child)
        if child is not None:
            self._forget(child)

    def _started_ahead(self) -> DecoderProcess | None:
        """A child ahead of the first record, which need not wait for it; ``wait_ready`` learns how that went."""
        child: DecoderProcess | None = None
        failed: BaseException | None = None
        try:
            child = self._replaced(None)
            child.wait_ready(cancelled=lambda: self._waiting.closed)
        except (OSError, JobError, JobCancelled) as error:
            failed = error
        with self._changed:
            if self._first_start.done():
                return child
            if failed is None:
                self._first_start.set_result(None)
            else:
                self._first_start.set_exception(failed)
        return child

    def _next(self, lanes: tuple[Lane, ...]) -> MediaJob | None:
        with self._changed:
            while not self._waiting.closed:
                for lane in lanes:
                    if self._waiting.lanes[lane]:
                        return self._waiting.lanes[lane].popleft()
                self._changed.wait()
        return None

    def _replaced(self, child: DecoderProcess | None) -> DecoderProcess:
        if child is not None:
            self._forget(child)
        fresh = DecoderProcess(
            memory_bytes=self._settings.decoder_memory_bytes,
            timeout_seconds=self._settings.decoder_timeout_seconds,
        )
        with self._changed:
            self._children.add(fresh)
        return fresh

    def _forget(self, child: DecoderProcess) -> None:
        child.close()
        with self._changed:
            self._children.discard(child)

    def _serve(self, job: MediaJob, child: DecoderProcess) -> None:
        def cancelled() -> bool:
            return self._waiting.closed or job.cancelled()

        try:
            if cancelled():  # while it stood in line: no reason to kill the child, as ask() would
                job.deliver(Failed(JobCancelled("cancelled before it was decoded")))
                return
            for reply in child.ask(self._request(job), cancelled=cancelled):
                if isinstance(reply, Opened):
                    job.spool.unlink()
                if not isinstance(reply, Ready):
                    job.deliver(_delivery(reply, job.spool))
        except (JobError, JobCancelled) as failed:
            job.deliver(Failed(failed))
        except Exception as failed:  # noqa: BLE001 - a keeper that dies would leave its child and all later files alone
            child.kill()
            job.deliver(Failed(DecoderCrashed(f"the decoder's keeper failed: {failed!r}")))

    def _request(self, job: MediaJob) -> Request:
        limit_seconds = self._settings.audio_limit_seconds
        bytes_per_second = SAMPLE_RATE_HERTZ // FRAME_SAMPLES * job.mel_bands * 4
        return Request(
            path=os.fsencode(job.path.absolute()),
            spool_path=os.fsencode(job.spool.path),
            split=job.split,
            track=job.track,
            vad=job.vad,
            mel_bands=job.mel_bands,
            audio_limit_seconds=limit_seconds,
            spool_limit_bytes=int(limit_seconds * bytes_per_second * (SPLIT_CHANNELS if job.split else 1)),
        )


def _delivery(reply: Opened | WindowReady | Advanced | Finished | Refused, spool: FeatureSpool) -> Delivery:
    if isinstance(reply, Refused):
        if reply.reason is Reason.DEPENDENCY_DOWN:
            return Failed(spool.no_room(reply.needed_bytes))
        return Failed(_REFUSALS.get(reply.reason, DecoderCrashed)(reply.message))
    return reply
