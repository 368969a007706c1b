"""Metrics of the engine and of the language model servers, and the adapters that record them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consumers.metrics import Metrics
from consumers.transcriber.ports import EngineProgress
from models.vllm.servers.ports import EndedRequest, RequestLoad, RequestOutcome
from schemas.monitoring import Metric
from schemas.options import Lane, TranscribeOptions
from schemas.transcripts.transcript import AudioFacts, Provenance, Transcript

if TYPE_CHECKING:
    # Enrichers import this module too, and have no engine installed.
    from models.whisper.transcriber import Transcriber

AUDIO_SECONDS: Final = Metric(
    "kascribe_transcribed_audio_seconds_total", "counter", "seconds", ("lane",), "Audio that was transcribed."
)
INFERENCE_SECONDS: Final = Metric(
    "kascribe_inference_seconds_total", "counter", "seconds", ("lane",), "Time of the model that this took."
)
WAITING_WINDOWS: Final = Metric(
    "kascribe_engine_waiting_windows", "gauge", "windows", (), "Windows of at most 30 s in the engine's line."
)
ENGINE_METRICS: Final = (AUDIO_SECONDS, INFERENCE_SECONDS, WAITING_WINDOWS)

ANSWER_SECONDS_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)

REQUESTS: Final = Metric(
    "kascribe_vllm_requests_total",
    "counter",
    "requests",
    ("outcome",),
    f"Requests for answers that ended, each try by itself: {', '.join(RequestOutcome)}.",
)
REQUEST_SECONDS: Final = Metric(
    "kascribe_vllm_request_seconds",
    "histogram",
    "seconds",
    (),
    "From sending a request to its answer; the wait for a place and requests without an answer are left out.",
    ANSWER_SECONDS_BUCKETS,
)
TOKENS: Final = Metric(
    "kascribe_vllm_tokens_total",
    "counter",
    "tokens",
    ("kind",),
    "Tokens by the servers: prompt, cached (of the prompt, with --enable-prompt-tokens-details), completion.",
)
REQUESTS_IN_FLIGHT: Final = Metric(
    "kascribe_vllm_requests_in_flight", "gauge", "requests", (), "Requests that the servers work on."
)
REQUESTS_WAITING: Final = Metric(
    "kascribe_vllm_requests_waiting", "gauge", "requests", (), "Requests that wait for a place among those."
)
REQUESTS_LIMIT: Final = Metric(
    "kascribe_vllm_requests_limit",
    "gauge",
    "requests",
    (),
    "How many may be in flight, over all servers: grows with answers, halves when a server is overloaded.",
)
REQUEST_METRICS: Final = (
    REQUESTS,
    REQUEST_SECONDS,
    TOKENS,
    REQUESTS_IN_FLIGHT,
    REQUESTS_WAITING,
    REQUESTS_LIMIT,
)


class MeteredEngine:
    """``consumers.transcriber.ports.SpeechToText`` over the transcriber, with counters of its work."""

    def __init__(self, transcriber: "Transcriber", metrics: Metrics) -> None:
        self._transcriber = transcriber
        self._audio_seconds = metrics.counter(AUDIO_SECONDS)
        self._inference_seconds = metrics.counter(INFERENCE_SECONDS)
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
        transcript = self._transcriber.transcribe(
            path, options, on_progress=on_progress, cancelled=cancelled, lane=lane, on_audio=on_audio
        )
        self._audio_seconds.labels(lane.value).inc(transcript.usage.audio_seconds)
        self._inference_seconds.labels(lane.value).inc(transcript.usage.inference_seconds)
        return transcript


class RequestMeter:
    """Implements ``models.vllm.servers.ports.Observer``."""

    def __init__(self, metrics: Metrics) -> None:
        # Every outcome exists from the start: a counter that appears with its first event hides that event.
        self._requests = {outcome: metrics.counter(REQUESTS).labels(outcome.value) for outcome in RequestOutcome}
        self._seconds = metrics.histogram(REQUEST_SECONDS)
        self._prompt, self._cached, self._completion = (
            metrics.counter(TOKENS).labels(kind) for kind in ("prompt", "cached", "completion")
        )

    def on_request_end(self, request: EndedRequest) -> None:
        """See ``Observer``."""
        self._requests[request.outcome].inc()
        if request.outcome in (RequestOutcome.ANSWERED, RequestOutcome.CUT_OFF):
            self._seconds.observe(request.seconds)
        self._prompt.inc(request.usage.prompt_tokens)
        self._cached.inc(request.usage.cached_tokens)
        self._completion.inc(request.usage.completion_tokens)


def meter_load(load: Callable[[], RequestLoad], metrics: Metrics) -> None:
    """Read the gauges of the load whenever the metrics are scraped."""
    metrics.gauge(REQUESTS_IN_FLIGHT).set_function(lambda: load().in_flight)
    metrics.gauge(REQUESTS_WAITING).set_function(lambda: load().waiting)
    metrics.gauge(REQUESTS_LIMIT).set_function(lambda: load().limit)
