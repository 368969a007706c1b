"""Pool of decoding child processes: their queues, the threads that serve them, replacement of those that die."""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from models.media.files import open_files
from models.media.messages import (
    ChildReady,
    ContainerOpened,
    DecodeFinished,
    DecodeProgress,
    DecodeRefused,
    DecodeRequest,
    WindowReady,
)
from models.media.ports import DecoderObserver, Unobserved
from models.media.process import DecoderProcess, SandboxIncomplete
from models.media.refusals import refusal_error
from models.media.sandbox.parent import hide_where_unconfined
from models.media.speech.windows import FRAME_SAMPLES, SAMPLE_RATE_HERTZ
from models.media.spool import FeatureSpool
from schemas.clock import Clock
from schemas.errors import ENGINE, ConfigurationError, DecoderCrashed, DependencyDown, JobCancelled, JobError
from schemas.options import Lane, VadParameters
from schemas.settings import WhisperSettings

SPARE_CORES: Final = 2
"""Cores left to the process itself: one feeds the device, one does the rest."""
PROCESSES_LIMIT: Final = 16
"""Decoders where their number is not set: 16 feed 4,000 times real time, more than one device transcribes."""
EARLY_PROCESSES: Final = 2
"""Children started with the pool, and the fewest: behind a single one, short files would wait for a long one."""
REQUESTS_PER_CHILD: Final = 500
"""Requests after which a child is replaced: FFmpeg's resamplers leak a little."""
SPLIT_CHANNELS: Final = 8
"""Channels for which the spool's limit has room when each is transcribed separately."""
MEL_BANDS_LIMIT: Final = 256
"""Twice what any Whisper model has; the kernel's limit on what a child writes has room for them."""

_ALL_LANES: Final = (Lane.INTERACTIVE, Lane.BULK)
_RESERVED: Final = (Lane.INTERACTIVE,)


@dataclass(frozen=True, slots=True)
class DecodeFailed:
    """Decoding ended without success."""

    error: JobError | JobCancelled


DecoderEvent = ContainerOpened | WindowReady | DecodeProgress | DecodeFinished | DecodeFailed


@dataclass(frozen=True, slots=True)
class DecodeJob:
    """One file to decode. ``on_event`` is called from the pool's threads and must not block or raise.

    The last event is DecodeFinished or DecodeFailed. ``cancelled`` is polled about ten times a second.
    """

    path: Path
    spool: FeatureSpool
    split: bool
    vad: bool
    mel_bands: int
    lane: Lane
    on_event: Callable[[DecoderEvent], None]
    cancelled: Callable[[], bool]
    track: int | None = None
    vad_parameters: VadParameters | None = None


@dataclass(frozen=True, slots=True)
class _Queued:
    job: DecodeJob
    since: float


@dataclass(slots=True)
class _Queues:
    lanes: dict[Lane, deque[_Queued]] = field(default_factory=lambda: {lane: deque() for lane in Lane})
    idle_children: int = 0  # children for all lanes that wait for a file, or start early
    closed: bool = False

    def take(self, lanes: Sequence[Lane], *, has_child: bool) -> _Queued | None:
        """Return the next file of the lanes for a thread; without a child, only files that no idle child takes."""
        if not has_child and sum(len(self.lanes[lane]) for lane in lanes) <= self.idle_children:
            return None
        return next((self.lanes[lane].popleft() for lane in lanes if self.lanes[lane]), None)


def decoder_processes(settings: WhisperSettings) -> int:
    """Return how many children decode: as set, else one per core but for SPARE_CORES, within both limits."""
    spare = len(os.sched_getaffinity(0)) - SPARE_CORES
    return settings.decoder_processes or max(EARLY_PROCESSES, min(spare, PROCESSES_LIMIT))


class DecoderPool:
    """Persistent children, each served by its own thread.

    In addition to ``decoder_processes`` children there is one for the interactive lane alone, so that an
    interactive clip never waits behind hours of bulk audio.
    """

    def __init__(
        self, settings: WhisperSettings, *, clock: Clock, observer: DecoderObserver | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._observer = observer or Unobserved()
        self._queues = _Queues()
        self._changed = threading.Condition()
        self._children: set[DecoderProcess] = set()
        self._first_start: Future[None] = Future()
        if settings.decoder_sandbox != "off":
            hide_where_unconfined()
        lanes = [_ALL_LANES] * decoder_processes(settings) + [_RESERVED]
        self._queues.idle_children = min(EARLY_PROCESSES, len(lanes) - 1)  # while they start, files wait for them
        self._threads = [
            threading.Thread(target=self._run, args=(number, served), name=f"decoder-{number}", daemon=True)
            for number, served in enumerate(lanes)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: DecodeJob) -> None:
        """Queue a file. Does not block. Raises DecoderCrashed once the pool is closed."""
        with self._changed:
            if self._queues.closed:
                raise DecoderCrashed("the decoders are shut down")
            self._queues.lanes[job.lane].append(_Queued(job, self._clock.monotonic()))
            self._changed.notify_all()

    def wait_ready(self) -> None:
        """Block until a child has started. Raises ConfigurationError, with the child's output, when it cannot."""
        try:
            self._first_start.result()
        except SandboxIncomplete as error:
            raise ConfigurationError(f"audio is not decoded: {error}") from error
        except (OSError, JobError) as error:
            raise ConfigurationError(
                f"audio cannot be decoded: {error}; is KASCRIBE_WHISPER_DECODER_MEMORY_BYTES large enough, "
                "and the installation complete?"
            ) from error

    def pids(self) -> frozenset[int]:
        """Return the process ids of the children that run now."""
        with self._changed:
            return frozenset(child.pid for child in self._children)

    def close(self) -> None:
        """End the children; queued and running jobs fail with JobCancelled. Safe to repeat."""
        with self._changed:
            self._queues.closed = True
            queued = [each.job for lane in self._queues.lanes.values() for each in lane]
            for lane in self._queues.lanes.values():
                lane.clear()
            self._changed.notify_all()
        for job in queued:
            job.on_event(DecodeFailed(JobCancelled("the decoders are shut down")))
        for thread in self._threads:
            thread.join()

    def _run(self, number: int, lanes: tuple[Lane, ...]) -> None:
        child: DecoderProcess | None = None
        is_counted = number < EARLY_PROCESSES and lanes != _RESERVED
        if is_counted:
            child = self._start_early()
        while (queued := self._next_file(lanes, has_child=child is not None, is_counted=is_counted)) is not None:
            is_counted = False
            began = self._clock.monotonic()
            reserved = lanes == _RESERVED
            self._observer.on_file_begin(queued_seconds=began - queued.since, reserved=reserved)
            child = self._decode(queued.job, child)
            self._observer.on_file_end(seconds=self._clock.monotonic() - began, reserved=reserved)
        if child is not None:
            self._discard(child)

    def _decode(self, job: DecodeJob, child: DecoderProcess | None) -> DecoderProcess | None:
        """Decode a file with the child, or a new one, and return that; None when none can be started."""
        try:
            if child is None or not child.is_alive or child.requests >= REQUESTS_PER_CHILD:
                child = self._replace(child)
        except OSError as error:
            down = DependencyDown(ENGINE, f"no decoder can be started: {error}")
            down.__cause__ = error
            job.on_event(DecodeFailed(down))
            return None
        self._serve(job, child)
        return child

    def _start_early(self) -> DecoderProcess | None:
        """Start a child before the first job, which then need not wait; report the outcome to ``wait_ready``."""
        child: DecoderProcess | None = None
        failure: BaseException | None = None
        try:
            child = self._replace(None)
            child.wait_ready(cancelled=lambda: self._queues.closed)
        except (OSError, JobError, JobCancelled) as error:
            failure = error
        with self._changed:
            if self._first_start.done():
                return child
            if failure is None:
                self._first_start.set_result(None)
            else:
                self._first_start.set_exception(failure)
        if child is not None and child.sandbox is not None:  # what is refused to one is refused to all
            self._observer.on_sandbox(child.sandbox)
        return child

    def _next_file(self, lanes: tuple[Lane, ...], *, has_child: bool, is_counted: bool) -> _Queued | None:
        """Wait for a file. ``is_counted``: the thread still counts as an idle child, since before its start."""
        is_idle_child = has_child and lanes == _ALL_LANES
        with self._changed:
            if is_counted:  # not before: a file that waits for this child would start another one
                self._queues.idle_children -= 1
                self._changed.notify_all()
            while not self._queues.closed:
                if (queued := self._queues.take(lanes, has_child=has_child)) is not None:
                    return queued
                self._queues.idle_children += is_idle_child
                self._changed.wait()
                self._queues.idle_children -= is_idle_child
        return None

    def _replace(self, child: DecoderProcess | None) -> DecoderProcess:
        if child is not None:
            self._discard(child)
        fresh = DecoderProcess(
            self._settings,
            file_bytes=self._spool_limit_bytes(MEL_BANDS_LIMIT, SPLIT_CHANNELS),
            clock=self._clock,
        )
        with self._changed:
            self._children.add(fresh)
        return fresh

    def _discard(self, child: DecoderProcess) -> None:
        child.close()
        with self._changed:
            self._children.discard(child)

    def _serve(self, job: DecodeJob, child: DecoderProcess) -> None:
        def cancelled() -> bool:
            return self._queues.closed or job.cancelled()

        try:
            if cancelled():  # cancelled while queued: decode() would kill the child, which is not necessary
                job.on_event(DecodeFailed(JobCancelled("cancelled before it was decoded")))
                return
            with open_files(job.path, job.spool) as files:
                for reply in child.decode(self._request(job), *files, cancelled=cancelled):
                    if isinstance(reply, DecodeRefused):
                        job.on_event(DecodeFailed(refusal_error(reply, job.spool)))
                    elif not isinstance(reply, ChildReady):
                        job.on_event(reply)
        except (JobError, JobCancelled) as error:
            job.on_event(DecodeFailed(error))
        except Exception as error:  # noqa: BLE001 - a thread that ends would leave its child and all later files alone
            child.kill()
            job.on_event(DecodeFailed(DecoderCrashed(f"the decoder's thread failed: {error!r}")))

    def _request(self, job: DecodeJob) -> DecodeRequest:
        return DecodeRequest(
            split=job.split,
            track=job.track,
            vad=job.vad,
            vad_parameters=job.vad_parameters or VadParameters(),
            mel_bands=job.mel_bands,
            audio_limit_seconds=self._settings.audio_limit_seconds,
            spool_limit_bytes=self._spool_limit_bytes(job.mel_bands, SPLIT_CHANNELS if job.split else 1),
        )

    def _spool_limit_bytes(self, mel_bands: int, channels: int) -> int:
        bytes_per_second = SAMPLE_RATE_HERTZ // FRAME_SAMPLES * mel_bands * 4
        return int(self._settings.audio_limit_seconds * bytes_per_second * channels)
