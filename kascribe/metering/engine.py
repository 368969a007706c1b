"""Metrics of the engine and its decoders, and the adapters that record them."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consumers.metrics import Metrics
from consumers.transcriber.ports import EngineProgress
from kascribe.metering.busy_times import BusyTimes
from models.media.sandbox.parent import log_report
from models.media.sandbox.report import Protection, SandboxReport
from schemas.clock import Clock
from schemas.monitoring import Metric
from schemas.options import Lane, TranscribeOptions
from schemas.transcripts.transcript import AudioFacts, Provenance, Transcript

if TYPE_CHECKING:
    # The documents are generated without an engine.
    from models.whisper.transcriber import Transcriber

WAIT_SECONDS_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
WINDOWS_BUCKETS: Final = (1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0)
FACTOR_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LANES: Final = tuple(lane.value for lane in Lane)

AUDIO_SECONDS: Final = Metric(
    "kascribe_transcribed_audio_seconds_total",
    "counter",
    "seconds",
    ("lane",),
    "Audio that was transcribed; its rate is the throughput, in times real time.",
    values=LANES,
)
INFERENCE_SECONDS: Final = Metric(
    "kascribe_inference_seconds_total",
    "counter",
    "seconds",
    ("lane",),
    "Time of the model that this took.",
    values=LANES,
)
REAL_TIME_FACTOR: Final = Metric(
    "kascribe_real_time_factor",
    "histogram",
    "ratio",
    ("lane",),
    "From a fetched file to its transcript, in seconds per second of its audio; waiting for other files included.",
    FACTOR_BUCKETS,
    LANES,
)
ENGINE_BUSY: Final = Metric(
    "kascribe_engine_busy_ratio",
    "gauge",
    "ratio",
    (),
    "Share of the last minute in which a call of the model ran, copies to the device included; it counts "
    "when it has ended.",
)
BATCH_WINDOWS: Final = Metric(
    "kascribe_engine_batch_windows",
    "histogram",
    "windows",
    ("replica",),
    "Windows of one call of the model; replicas are counted from 0.",
    WINDOWS_BUCKETS,
)
WAITING_WINDOWS: Final = Metric(
    "kascribe_engine_waiting_windows", "gauge", "windows", (), "Windows of at most 30 s in the engine's line."
)
DECODERS_BUSY: Final = Metric(
    "kascribe_decoders_busy_ratio",
    "gauge",
    "ratio",
    (),
    "Mean share of the decoder processes that worked on a file, over the last minute; without the one kept for "
    "interactive records.",
)
DECODER_SANDBOX: Final = Metric(
    "kascribe_decoder_sandbox",
    "gauge",
    "state",
    ("protection",),
    "1 if the kernel enforces this protection in the decoder processes, otherwise 0: privileges, parent_memory, "
    "files, network, processes, kernel.",
)
QUEUE_SECONDS: Final = Metric(
    "kascribe_transcription_queue_seconds",
    "histogram",
    "seconds",
    ("stage",),
    "Wait before a stage: fetch (from the record's time to its attempt), decode (of a file for a process), model "
    "(of the windows of a call, their mean).",
    WAIT_SECONDS_BUCKETS,
    ("fetch", "decode", "model"),
)
SERVICE_SECONDS: Final = Metric(
    "kascribe_transcription_service_seconds",
    "histogram",
    "seconds",
    ("stage",),
    "Time in a stage: fetch (from the attempt's start to the local file), decode (a file in a process), model "
    "(one call), store (transcript, exports and result).",
    WAIT_SECONDS_BUCKETS,
    ("fetch", "decode", "model", "store"),
)
ENGINE_METRICS: Final = (
    AUDIO_SECONDS,
    INFERENCE_SECONDS,
    REAL_TIME_FACTOR,
    ENGINE_BUSY,
    BATCH_WINDOWS,
    WAITING_WINDOWS,
    DECODERS_BUSY,
    DECODER_SANDBOX,
    QUEUE_SECONDS,
    SERVICE_SECONDS,
)


class StageMeter:
    """Implements the observers of the engine, of the decoders and of jobs. Thread-safe; no method blocks."""

    def __init__(self, metrics: Metrics, *, decoder_processes: int, clock: Clock) -> None:
        self._engine_times = BusyTimes(clock=clock)
        self._decoder_times = BusyTimes(clock=clock)
        self._batch_windows = metrics.histogram(BATCH_WINDOWS)
        self._queue_seconds = metrics.histogram(QUEUE_SECONDS)
        self._service_seconds = metrics.histogram(SERVICE_SECONDS)
        self._sandbox = metrics.gauge(DECODER_SANDBOX)
        metrics.gauge(ENGINE_BUSY).set_function(self._engine_times.share_of_any)
        metrics.gauge(DECODERS_BUSY).set_function(
            lambda: self._decoder_times.mean_places() / decoder_processes,
        )

    def on_batch(self, *, replica: int, rows: int, queued_seconds: float, seconds: float) -> None:
        """See ``models.whisper.inference.observer.EngineObserver``."""
        self._engine_times.add(seconds)
        self._batch_windows.labels(str(replica)).observe(rows)
        self._queue_seconds.labels("model").observe(queued_seconds)
        self._service_seconds.labels("model").observe(seconds)

    def on_file_begin(self, *, queued_seconds: float, reserved: bool) -> None:
        """See ``models.media.ports.DecoderObserver``."""
        if not reserved:
            self._decoder_times.begin(threading.get_ident())
        self._queue_seconds.labels("decode").observe(queued_seconds)

    def on_file_end(self, *, seconds: float, reserved: bool) -> None:
        """See ``models.media.ports.DecoderObserver``."""
        if not reserved:
            self._decoder_times.end(threading.get_ident())
        self._service_seconds.labels("decode").observe(seconds)

    def on_sandbox(self, report: SandboxReport) -> None:
        """See ``models.media.ports.DecoderObserver``."""
        log_report(report)
        for protection in Protection:
            self._sandbox.labels(protection.value).set(protection in report.in_force)

    def on_fetched(self, *, queued_seconds: float | None, seconds: float) -> None:
        """See ``consumers.transcriber.ports.JobObserver``."""
        if queued_seconds is not None:
            self._queue_seconds.labels("fetch").observe(queued_seconds)
        self._service_seconds.labels("fetch").observe(seconds)

    def on_stored(self, *, seconds: float) -> None:
        """See ``consumers.transcriber.ports.JobObserver``."""
        self._service_seconds.labels("store").observe(seconds)


class MeteredEngine:
    """``consumers.transcriber.ports.SpeechToText`` over the transcriber, with counters of its work."""

    def __init__(self, transcriber: "Transcriber", metrics: Metrics, *, clock: Clock) -> None:
        self._transcriber = transcriber
        self._clock = clock
        self._audio_seconds = metrics.counter(AUDIO_SECONDS)
        self._inference_seconds = metrics.counter(INFERENCE_SECONDS)
        self._factor = metrics.histogram(REAL_TIME_FACTOR)
        metrics.gauge(WAITING_WINDOWS).set_function(transcriber.queued_windows)

    @property
    def provenance(self) -> Provenance:
        """See ``SpeechToText``."""
        return self._transcriber.provenance

    def check(self, options: TranscribeOptions) -> None:
        """See ``SpeechToText``."""
        self._transcriber.check(options)

    def is_healthy(self) -> bool:
        """See ``SpeechToText``."""
        return self._transcriber.is_healthy()

    def transcribe(
        self,
        path: Path,
        options: TranscribeOptions,
        *,
        on_progress: Callable[[EngineProgress], None],
        cancelled: Callable[[], bool],
        lane: Lane,
        on_audio: Callable[[AudioFacts], None],
    ) -> Transcript:
        """See ``SpeechToText``. Counts transcripts that succeed."""
        began = self._clock.monotonic()
        transcript = self._transcriber.transcribe(
            path, options, on_progress=on_progress, cancelled=cancelled, lane=lane, on_audio=on_audio
        )
        audio_seconds = transcript.usage.audio_seconds
        self._audio_seconds.labels(lane.value).inc(audio_seconds)
        self._inference_seconds.labels(lane.value).inc(transcript.usage.inference_seconds)
        if audio_seconds > 0:
            self._factor.labels(lane.value).observe((self._clock.monotonic() - began) / audio_seconds)
        return transcript
