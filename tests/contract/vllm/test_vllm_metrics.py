"""What operators see of the requests to language model servers: how many, how they ended, what they cost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry

from consumers.runtime.monitoring.metrics import Metrics
from kascribe.metering import REQUEST_METRICS, RequestMeter, meter_load
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
    """Retries at once."""


@pytest.fixture
def metrics() -> Metrics:
    """The enricher's instruments, nothing counted yet."""
    return Metrics(CollectorRegistry(), REQUEST_METRICS)


@contextmanager
def counted(double: VllmDouble, metrics: Metrics, *, timeout_seconds: float) -> Iterator[Enricher]:
    """An enricher that is counted, with four places."""
    settings = VllmSettings(base_url=double.base_url, timeout_seconds=timeout_seconds, concurrency_limit=4)
    with Enricher(settings, sleep=no_pause, observer=RequestMeter(metrics)) as one:
        meter_load(one.load, metrics)
        yield one


@pytest.fixture
def enricher(double: VllmDouble, metrics: Metrics) -> Iterator[Enricher]:
    """One that does not wait long for a server that hangs."""
    with counted(double, metrics, timeout_seconds=0.5) as one:
        yield one


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """What Prometheus would read."""
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
def test_every_try_is_counted_by_how_it_ended(
    fault: Fault, outcome: RequestOutcome, double: VllmDouble, enricher: Enricher, metrics: Metrics
) -> None:
    """One fault, then answers: one request with the fault's outcome, the others answered, none forgotten."""
    double.faults.append(fault)
    enricher.enrich(request_for(enricher, spoken(30), "key_points"))
    assert value(metrics, "kascribe_vllm_requests_total", outcome=outcome.value) == 1
    answered = value(metrics, "kascribe_vllm_requests_total", outcome="answered")
    assert answered == len(double.asked) - 1


def test_tokens_and_seconds_are_those_of_the_answers(
    double: VllmDouble, enricher: Enricher, metrics: Metrics
) -> None:
    """The counters agree with the usage that the event reports; a failed try adds no seconds."""
    double.faults.append(Fault.ERROR)
    made = enricher.enrich(request_for(enricher, spoken(30), "summary", "title"))
    assert value(metrics, "kascribe_vllm_tokens_total", kind="prompt") == made.usage.prompt_tokens > 0
    assert value(metrics, "kascribe_vllm_tokens_total", kind="cached") == made.usage.cached_tokens
    assert value(metrics, "kascribe_vllm_tokens_total", kind="completion") == made.usage.completion_tokens > 0
    assert value(metrics, "kascribe_vllm_request_seconds_count") == made.usage.requests == 2


def test_a_request_that_a_server_rejects_is_counted_too(
    double: VllmDouble, enricher: Enricher, metrics: Metrics
) -> None:
    """What ends the job is in the counter as well, and nothing was answered."""
    double.always = Fault.REFUSED
    with pytest.raises(EnrichmentInvalid):
        enricher.enrich(request_for(enricher, spoken(5), "title"))
    assert value(metrics, "kascribe_vllm_requests_total", outcome="rejected") == len(double.asked) > 0
    assert value(metrics, "kascribe_vllm_request_seconds_count") == 0


def test_the_load_is_read_when_somebody_looks(double: VllmDouble, metrics: Metrics) -> None:
    """Six jobs for four places: four in flight, two waiting. All withdrawn, nothing is in flight or answered."""
    double.always, withdrawn = Fault.HANG, threading.Event()
    with counted(double, metrics, timeout_seconds=60.0) as enricher:

        def work(number: int) -> None:
            request = request_for(enricher, spoken(5), "title", job_id=str(number))
            with pytest.raises(JobCancelled):
                enricher.enrich(request, cancelled=withdrawn.is_set)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        eventually(lambda: value(metrics, "kascribe_vllm_requests_waiting") == 2, timeout_seconds=30)
        assert value(metrics, "kascribe_vllm_requests_in_flight") == 4
        assert value(metrics, "kascribe_vllm_requests_limit") == 4
        withdrawn.set()
        for thread in threads:
            thread.join()
        eventually(lambda: value(metrics, "kascribe_vllm_requests_in_flight") == 0, timeout_seconds=30)
    # Those that waited may get a place for the moment in which the others leave theirs.
    assert 4 <= (value(metrics, "kascribe_vllm_requests_total", outcome="cancelled") or 0) <= 6
    assert value(metrics, "kascribe_vllm_requests_total", outcome="answered") == 0


def test_the_limit_falls_when_a_server_is_overloaded(
    double: VllmDouble, enricher: Enricher, metrics: Metrics
) -> None:
    """Four places, one refusal: two places, of which one answer at a time says nothing more."""
    double.faults.append(Fault.BUSY)
    enricher.enrich(request_for(enricher, spoken(5), "title"))
    assert value(metrics, "kascribe_vllm_requests_limit") == 2


def test_every_problem_has_an_outcome() -> None:
    """A new kind of problem without a name for operators is found here, not in production."""
    kinds = {kind for kind in vars(problems).values() if isinstance(kind, type)} - {ServerProblem, Exception}
    assert {kind for kind in kinds if issubclass(kind, ServerProblem)} == set(OUTCOME_OF_PROBLEM)
