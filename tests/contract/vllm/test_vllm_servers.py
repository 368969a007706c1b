"""Choice of servers: failover, affinity, suspicion, probes, and what they mean for a job."""

import threading
from contextlib import ExitStack
from itertools import count

import pytest
from pydantic import SecretStr

from models.vllm.servers.failover import BACKOFF_SECONDS
from models.vllm.servers.pool import rank
from schemas.errors import (
    DependencyDown,
    EnrichmentFailed,
)
from schemas.events import EnrichmentStatus
from tests.contract.enricher.transcripts import request_for, spoken
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault
from tests.contract.vllm.vllm_opening import Opener
from tests.support.clock import HandClock
from tests.support.waiting import eventually


class LeapingClock(HandClock):
    """A clock on which a long time passes between two readings."""

    def monotonic(self) -> float:
        """Return seconds since the clock began, a thousand more each time."""
        self.seconds += 1_000.0
        return self.seconds


def test_an_unreachable_server_pauses_intake_until_it_is_back(opened: Opener) -> None:
    """The same enricher continues when a server answers at the address again."""
    with running(VllmDouble()) as mortal:
        port = int(mortal.base_url.rpartition(":")[2])
        enricher = opened(base_url=mortal.base_url)
        assert enricher.enrich(request_for(enricher, spoken(5), "title")).results
    with pytest.raises(DependencyDown):
        enricher.enrich(request_for(enricher, spoken(5), "title"))
    assert not enricher.is_up()
    with running(VllmDouble(), port=port):
        assert eventually(enricher.is_up, timeout_seconds=30)
        assert enricher.enrich(request_for(enricher, spoken(5), "title")).results


def test_jobs_on_a_hanging_server_share_one_discovery(double: VllmDouble, opened: Opener) -> None:
    """The model is requested once for all waiting jobs, which share its failure."""
    double.stopped = True
    enricher = opened(timeout_seconds=0.5)
    ended: list[DependencyDown] = []

    def work(number: int) -> None:
        with pytest.raises(DependencyDown) as raised:
            enricher.enrich(request_for(enricher, spoken(9), "title", job_id=str(number)))
        ended.append(raised.value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == 16
    assert len(double.requests) < 16


def test_requests_for_a_dead_server_go_to_the_other(double: VllmDouble, opened: Opener) -> None:
    """With two addresses, one of them dead, every job completes."""
    with running(VllmDouble()) as gone:
        dead = gone.base_url
    enricher = opened(base_url=f"{dead}, {double.base_url}/v1")
    for number in range(8):
        request = request_for(enricher, spoken(5), "title", job_id=f"job {number}")
        assert enricher.enrich(request).results[0].status is EnrichmentStatus.COMPLETED


def test_requests_for_an_overloaded_server_go_to_the_other(
    double: VllmDouble, opened: Opener, pauses: list[float]
) -> None:
    """Whether vLLM or its gateway responds with 503: two attempts, then the other server."""
    with running(VllmDouble(context_tokens=4_096)) as busy:
        busy.always = Fault.BUSY
        enricher = opened(base_url=f"{busy.base_url},{double.base_url}")
        for number in range(10):
            enricher.enrich(request_for(enricher, spoken(5), "title", job_id=f"job {number}"))
        busy.fixed_responses[""] = (503, "no healthy upstream")
        enricher = opened(base_url=f"{busy.base_url},{double.base_url}")
        for number in range(10):
            enricher.enrich(request_for(enricher, spoken(5), "title", job_id=f"job {number}"))
        assert 0 < len(busy.completion_requests) <= 20
    assert max(pauses) <= BACKOFF_SECONDS


def test_every_server_is_tried_before_a_request_fails(double: VllmDouble, opened: Opener) -> None:
    """With four of five addresses dead, and every suspicion expired, each job completes within its attempts."""
    with ExitStack() as gone:
        dead = [gone.enter_context(running(VllmDouble())).base_url for _ in range(4)]
    enricher = opened(base_url=",".join((*dead, double.base_url)), clock=LeapingClock())
    for number in range(10):
        enricher.enrich(request_for(enricher, spoken(5), "title", job_id=f"job {number}"))


def test_a_server_that_hung_is_trusted_when_it_makes_a_token(double: VllmDouble, opened: Opener) -> None:
    """Only one request runs into the timeout; the others go elsewhere until a probe succeeds, however long."""
    with running(VllmDouble(context_tokens=4_096)) as hung:
        hung.always = Fault.HANG
        urls = [hung.base_url, double.base_url]
        enricher = opened(base_url=",".join(urls), timeout_seconds=1.0, clock=LeapingClock())
        jobs = (job for job in map(str, count()) if rank(urls, job)[0] == 0)
        for _ in range(6):
            enricher.enrich(request_for(enricher, spoken(5), "title", job_id=next(jobs)))
        assert len(hung.completion_requests) == 1
        hung.always = Fault.NONE

        def gets_requests_again() -> bool:
            enricher.enrich(request_for(enricher, spoken(5), "title", job_id=next(jobs)))
            return len(hung.completion_requests) > 1

        eventually(gets_requests_again, timeout_seconds=30)


def test_a_request_that_every_server_refuses_is_sent_once_to_each(double: VllmDouble, opened: Opener) -> None:
    """Refused requests are not repeated, and servers that answer other requests are not down."""
    with running(VllmDouble(context_tokens=4_096)) as other:
        enricher = opened(base_url=f"{double.base_url},{other.base_url}")
        double.forbidden = other.forbidden = "lamp"
        words = spoken(1)[0].model_copy(update={"text": "the lamp"})
        with pytest.raises(EnrichmentFailed, match="403"):
            enricher.enrich(request_for(enricher, [words], "title"))
        assert [sum("lamp" in one.prompt for one in each.requests) for each in (double, other)] == [1, 1]
        assert enricher.is_up()


def test_one_transcript_stays_with_one_server(double: VllmDouble, opened: Opener) -> None:
    """All its requests go to the server that has cached its prefix; other transcripts use other servers too."""
    with running(VllmDouble(context_tokens=4_096)) as other:
        enricher = opened(base_url=f"{double.base_url},{other.base_url}")
        for number in range(12):
            before = (len(double.completion_requests), len(other.completion_requests))
            enricher.enrich(request_for(enricher, spoken(9), "title", "topics", "summary", job_id=str(number)))
            assert 0 in (len(double.completion_requests) - before[0], len(other.completion_requests) - before[1])
        assert double.completion_requests
        assert other.completion_requests


def test_the_key_is_sent_and_a_wrong_one_pauses_intake(double: VllmDouble, opened: Opener) -> None:
    """With 401, no record can succeed."""
    double.api_key = "right"
    enricher = opened(api_key=SecretStr("right"))
    assert enricher.enrich(request_for(enricher, spoken(5), "title")).results
    wrong = opened(api_key=SecretStr("wrong"))
    with pytest.raises(DependencyDown, match="Unauthorized"):
        wrong.enrich(request_for(wrong, spoken(5), "title"))
    assert not wrong.is_up()


def test_a_record_that_a_gateway_refuses_does_not_pause_intake(double: VllmDouble, opened: Opener) -> None:
    """After 403 for one transcript's text, while others are answered, only that record is retried later."""
    double.forbidden = "lamp"
    enricher = opened()
    words = spoken(5)
    with pytest.raises(EnrichmentFailed, match="403"):
        enricher.enrich(request_for(enricher, [words[0].model_copy(update={"text": "the lamp"})], "title"))
    assert enricher.is_up()
    assert enricher.enrich(request_for(enricher, [words[0].model_copy(update={"text": "hello"})], "title")).results


def test_a_server_with_malformed_responses_is_down_until_they_are_valid(
    double: VllmDouble, opened: Opener
) -> None:
    """Whatever fails a probe, the next probe starts afresh."""
    double.always = Fault.NONSENSE_USAGE
    enricher = opened()
    assert not enricher.is_up()
    assert not enricher.is_up()
    double.always = Fault.NONE
    assert eventually(enricher.is_up, timeout_seconds=30)


def test_requests_in_flight_have_a_limit(double: VllmDouble, opened: Opener) -> None:
    """With six long transcripts at once, the server gets no more requests than the setting allows."""
    double.context_tokens, double.gate = 512, threading.Event()
    enricher = opened(concurrency_limit=8, timeout_seconds=30.0)

    def work(number: int) -> None:
        enricher.enrich(request_for(enricher, spoken(150), "title", job_id=str(number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    eventually(lambda: double.in_flight == 8, timeout_seconds=20)
    double.gate.set()
    for thread in threads:
        thread.join()
    assert double.most_in_flight == 8
