"""Metrics of requests to language model servers: number, outcome, duration, tokens, load."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from kascribe.metering.requests import REQUEST_METRICS, RequestMeter, meter_load
from models.vllm.enricher import Enricher
from models.vllm.servers import problems
from models.vllm.servers.observer import OUTCOME_OF_PROBLEM
from models.vllm.servers.ports import RequestOutcome
from models.vllm.servers.problems import ServerProblem
from schemas.errors import EnrichmentInvalid, JobCancelled
from schemas.settings import VllmSettings
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.vllm_double import VllmDouble
from tests.contract.vllm.vllm_faults import Fault
from tests.support.waiting import eventually


async def no_pause(seconds: float) -> None:
    """Return at once."""


@pytest.fixture
def metrics() -> Metrics:
    """Create the enricher's instruments."""
    return Metrics(CollectorRegistry(), REQUEST_METRICS)


@contextmanager
def metered(double: VllmDouble, metrics: Metrics, *, timeout_seconds: float) -> Iterator[Enricher]:
    """Open an enricher with metrics and a limit of four requests."""
    settings = VllmSettings(base_url=double.base_url, timeout_seconds=timeout_seconds, concurrency_limit=4)
    with Enricher(settings, sleep=no_pause, observer=RequestMeter(metrics)) as one:
        meter_load(one.load, metrics)
        yield one


@pytest.fixture
def enricher(double: VllmDouble, metrics: Metrics) -> Iterator[Enricher]:
    """Open an enricher with a short timeout."""
    with metered(double, metrics, timeout_seconds=0.5) as one:
        yield one


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return the value that Prometheus would read."""
    return metrics.registry.get_sample_value(name, labels)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault.BUSY, RequestOutcome.OVERLOADED),
        (Fault.ERROR, RequestOutcome.FAILED),
        (Fault.GARBAGE, RequestOutcome.FAILED),
        (Fault.HANG, RequestOutcome.TOO_SLOW),
        (Fault.CUT_OFF_JSON, RequestOutcome.CUT_OFF),
        (Fault.TOO_LONG, RequestOutcome.TOO_LONG),
    ],
)
def test_every_attempt_is_counted_by_its_outcome(
    fault: Fault, outcome: RequestOutcome, double: VllmDouble, enricher: Enricher, metrics: Metrics
) -> None:
    """After one fault, one request has the fault's outcome, and all others are answered."""
    double.faults.append(fault)
    enricher.enrich(request_for(enricher, spoken(30), "key_points"))
    assert value(metrics, "kascribe_vllm_requests_total", outcome=outcome.value) == 1
    answered = value(metrics, "kascribe_vllm_requests_total", outcome="answered")
    assert answered == len(double.completion_requests) - 1


def test_tokens_and_seconds_are_those_of_the_answers(
    double: VllmDouble, enricher: Enricher, metrics: Metrics
) -> None:
    """The counters agree with the usage that the event reports; a failed attempt adds no seconds."""
    double.faults.append(Fault.ERROR)
    made = enricher.enrich(request_for(enricher, spoken(30), "summary", "title"))
    assert value(metrics, "kascribe_vllm_tokens_total", kind="prompt") == made.usage.prompt_tokens > 0
    assert value(metrics, "kascribe_vllm_tokens_total", kind="cached") == made.usage.cached_tokens
    assert value(metrics, "kascribe_vllm_tokens_total", kind="completion") == made.usage.completion_tokens > 0
    assert value(metrics, "kascribe_vllm_request_seconds_count") == made.usage.requests == 2


def test_a_request_that_a_server_rejects_is_counted_too(
    double: VllmDouble, enricher: Enricher, metrics: Metrics
) -> None:
    """The requests that fail the job are counted, and none was answered."""
    double.always = Fault.REFUSED
    with pytest.raises(EnrichmentInvalid):
        enricher.enrich(request_for(enricher, spoken(5), "title"))
    assert (
        value(metrics, "kascribe_vllm_requests_total", outcome="rejected") == len(double.completion_requests) > 0
    )
    assert value(metrics, "kascribe_vllm_request_seconds_count") == 0


def test_the_load_is_read_at_collection(double: VllmDouble, metrics: Metrics) -> None:
    """With six jobs and four slots, four are in flight and two wait; after cancellation none is in flight."""
    double.always, cancelled = Fault.HANG, threading.Event()
    with metered(double, metrics, timeout_seconds=60.0) as enricher:

        def work(number: int) -> None:
            request = request_for(enricher, spoken(5), "title", job_id=str(number))
            with pytest.raises(JobCancelled):
                enricher.enrich(request, cancelled=cancelled.is_set)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        eventually(lambda: value(metrics, "kascribe_vllm_requests_waiting") == 2, timeout_seconds=30)
        assert value(metrics, "kascribe_vllm_requests_in_flight") == 4
        assert value(metrics, "kascribe_vllm_requests_limit") == 4
        cancelled.set()
        for thread in threads:
            thread.join()
        eventually(lambda: value(metrics, "kascribe_vllm_requests_in_flight") == 0, timeout_seconds=30)
    # Waiting requests may get a slot for a moment while the others release theirs.
    assert 4 <= (value(metrics, "kascribe_vllm_requests_total", outcome="cancelled") or 0) <= 6
    assert value(metrics, "kascribe_vllm_requests_total", outcome="answered") == 0


def test_the_limit_falls_when_a_server_is_overloaded(
    double: VllmDouble, enricher: Enricher, metrics: Metrics
) -> None:
    """One refusal halves four slots to two; one request at a time never reaches that limit to raise it."""
    double.faults.append(Fault.BUSY)
    enricher.enrich(request_for(enricher, spoken(5), "title"))
    assert value(metrics, "kascribe_vllm_requests_limit") == 2


def test_every_problem_has_an_outcome() -> None:
    """A new kind of problem without an outcome fails this test, not production."""
    kinds = {kind for kind in vars(problems).values() if isinstance(kind, type)} - {ServerProblem, Exception}
    assert {kind for kind in kinds if issubclass(kind, ServerProblem)} == set(OUTCOME_OF_PROBLEM)
