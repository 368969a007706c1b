"""Metrics of the language model servers, and the adapters that record them."""

from collections.abc import Callable
from typing import Final

from consumers.metrics import Metrics
from models.vllm.servers.ports import EndedRequest, RequestLoad, RequestOutcome
from schemas.monitoring import Metric

ANSWER_SECONDS_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)

REQUESTS: Final = Metric(
    "kascribe_vllm_requests_total",
    "counter",
    "requests",
    ("outcome",),
    f"Requests for answers that ended, each try by itself: {', '.join(RequestOutcome)}.",
    values=tuple(outcome.value for outcome in RequestOutcome),
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
    values=("prompt", "cached", "completion"),
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


class RequestMeter:
    """Implements ``models.vllm.servers.ports.Observer``."""

    def __init__(self, metrics: Metrics) -> None:
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
