"""POST /transcribe-and-process with both real stages behind it, before a double of the language model server."""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

import pytest

from producers.finished_jobs import FinishedJobs
from producers.publisher import Publisher
from producers.results import EnrichmentResults, ResultStore
from schemas.events import CancellationEvent
from schemas.identity import job_id
from schemas.kafka.wire import encode
from schemas.options import EnrichOptions
from tests.contract.enricher.transcripts import spoken
from tests.contract.transcriber.stage_jobs import TRACE
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault
from tests.flow.gateway import TOPICS, GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import ObjectStore, running_object_store
from tests.support.waiting import eventually

PATH: Final = "/transcribe-and-process"
INSTRUCTION: Final = "다음 텍스트를 요약해주세요:"
KEY: Final = {"Idempotency-Key": "call-7"}


@pytest.fixture
def double() -> Iterator[VllmDouble]:
    """Start a language model server."""
    with running(VllmDouble(context_tokens=4_096)) as server:
        yield server


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Run one S3 server for the module."""
    with running_object_store() as running_store:
        yield running_store


@pytest.fixture
def bench(broker: MockCluster, store: ObjectStore, double: VllmDouble) -> Iterator[GatewayBench]:
    """Start both consumers on a broker and a bucket."""
    with gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened:
        opened.start_transcriber()
        opened.start_enricher(double.base_url)
        yield opened


def stored_in(bench: GatewayBench) -> FinishedJobs:
    """Open the finished jobs in the bench's bucket."""
    return FinishedJobs(
        ResultStore(bench.settings.s3, client=bench.client),
        EnrichmentResults(bench.settings.s3, client=bench.client),
    )


def test_a_file_and_an_instruction_give_processed_text(bench: GatewayBench) -> None:
    """The promised line, and profiles beside the instruction when they are requested."""
    answer = bench.gateway().post(PATH, wav_bytes(2), instruction=INSTRUCTION, profiles="title", language="ko")
    assert answer.status == 200
    assert answer.body["success"] is True
    assert (answer.body["text"], answer.body["language"]) == ("second 1. second 2.", "ko")
    assert answer.body["processed_text"] == "plain words about what was said"
    assert answer.body["profiles"].keys() == {"title"}
    assert (answer.body["truncated"], answer.body["coverage"]) == (False, 1.0)
    assert answer.body["job_id"]
    stored = stored_in(bench)
    options = EnrichOptions(profiles=("title",), instruction=INSTRUCTION)
    whole = stored.enrichment(answer.body["job_id"], options)
    assert whole is not None
    travelled = whole.model_copy(
        update={"results": tuple(each.model_copy(update={"output": None}) for each in whole.results)}
    )
    assert stored.whole(travelled, options) == whole


def test_parts_of_the_transcript_stand_beside_the_result(bench: GatewayBench) -> None:
    """The same as on the route without a language model."""
    answer = bench.gateway().post(PATH, wav_bytes(2), profiles="title", include="segments,words").body
    assert [segment["text"] for segment in answer["segments"]] == ["second 1.", "second 2."]
    assert [word["segment"] for word in answer["words"]] == [0, 0, 1, 1]
    assert answer["profiles"].keys() == {"title"}


def test_a_failed_enrichment_is_reported_and_retried_with_the_same_key(
    bench: GatewayBench, double: VllmDouble
) -> None:
    """502 while the server returns nonsense; later the same key is enriched, and not transcribed again."""
    gateway = bench.gateway()
    double.always = Fault.WRONG_SHAPE
    failed = gateway.post(PATH, wav_bytes(1), headers=KEY, profiles="title")
    assert (failed.status, failed.reason) == (502, "enrichment_invalid")
    double.always = Fault.NONE
    answer = gateway.post(PATH, wav_bytes(1), headers=KEY, profiles="title")
    assert answer.body["profiles"]["title"]
    assert answer.body["processed_text"] is None
    assert bench.gateway().post(PATH, wav_bytes(1), headers=KEY, profiles="title").body == answer.body
    assert bench.engine.calls == 1


def test_a_key_whose_job_requested_something_else_is_refused(bench: GatewayBench) -> None:
    """422 at once, instead of waiting for an enrichment that no enricher makes; another tenant gets nothing."""
    gateway = bench.gateway()
    assert gateway.post("/transcribe", wav_bytes(1), headers=KEY).status == 200
    other_wish = gateway.post(PATH, wav_bytes(1), headers=KEY, instruction=INSTRUCTION)
    other_tenant = gateway.post("/transcribe", wav_bytes(1), headers=KEY, tenant="other")
    for answer in (other_wish, other_tenant):
        assert (answer.status, answer.reason) == (422, "idempotency_key_reused")


def test_a_client_that_leaves_ends_its_request_to_the_language_model(
    bench: GatewayBench, double: VllmDouble
) -> None:
    """The server sees the connection close and gets no other request; the same key works afterwards."""
    gateway = bench.gateway()
    double.always = Fault.HANG
    connection = gateway.begin(PATH, wav_bytes(1), headers=KEY, profiles="title")
    eventually(lambda: double.in_flight == 1, timeout_seconds=20, what="the question")
    connection.close()
    eventually(lambda: double.disconnects == 1, timeout_seconds=20, what="the end of the question")
    assert gateway.waiting == 0
    assert stored_in(bench).enrichment(job_id("call-7"), EnrichOptions(profiles=("title",))) is None
    double.always = Fault.NONE
    answer = gateway.post(PATH, wav_bytes(1), headers=KEY, profiles="title")
    assert answer.body["profiles"]["title"]
    assert bench.engine.calls == 1
    assert len(double.completion_requests) == 2


def test_a_client_that_waits_for_the_same_enrichment_elsewhere_survives_the_others_leaving(
    bench: GatewayBench, double: VllmDouble
) -> None:
    """The one request to the language model goes on for the client of the other replica."""
    first, second = bench.gateway(), bench.gateway()
    double.gate = threading.Event()
    connection = first.begin(PATH, wav_bytes(1), headers=KEY, profiles="title")
    eventually(lambda: double.in_flight == 1, timeout_seconds=20, what="the question")
    with ThreadPoolExecutor(1) as client:
        pending = client.submit(second.post, PATH, wav_bytes(1), headers=KEY, profiles="title")
        eventually(
            lambda: bench.transcripts_settled == 1,
            timeout_seconds=20,
            what="the second's request beside the first's",
        )
        connection.close()
        records_on(bench.settings.kafka.bootstrap_servers, TOPICS.cancellations, count=1, partitions=4)
        double.gate.set()
        assert pending.result().body["profiles"]["title"]
    assert len(double.completion_requests) == 1


def test_an_enrichment_that_another_client_cancelled_is_requested_again(
    bench: GatewayBench, double: VllmDouble
) -> None:
    """A cancellation of all earlier requests stops this one; the waiting client's gateway submits it again."""
    gateway = bench.gateway()
    double.faults = deque([Fault.HANG])
    with ThreadPoolExecutor(1) as client, Publisher(bench.settings.kafka) as publisher:
        pending = client.submit(gateway.post, PATH, wav_bytes(1), headers=KEY, profiles="title")
        eventually(lambda: double.in_flight == 1, timeout_seconds=20, what="the question")
        job = job_id("call-7")
        event = CancellationEvent(event_id="c", occurred_at=datetime.now(UTC), job_id=job)
        publisher.publish([encode(event, topic=TOPICS.cancellations, key=job, trace=TRACE)])
        assert pending.result().body["profiles"]["title"]
    assert double.disconnects == 1
    assert bench.engine.calls == 1


def test_an_enrichment_that_comes_late_is_reported_and_fetched_with_the_key_that_is_named(
    bench: GatewayBench, double: VllmDouble
) -> None:
    """504 with the job and a key when the server is down: text at once, the rest when it is up, nothing twice."""
    double.healthy = False
    late = bench.gateway(answer_timeout_seconds=5.0).post(PATH, wav_bytes(1), profiles="title")
    assert (late.status, late.reason) == (504, "enrichment_timeout")
    assert "no vLLM server can be used: HTTP 503: queue overflow" in late.body["error"]["message"]
    assert late.body["job_id"] in late.body["error"]["message"]
    key = {"Idempotency-Key": late.body["idempotency_key"]}
    text = bench.gateway().post("/transcribe", wav_bytes(1), headers=key)
    assert (text.body["text"], text.body["job_id"]) == ("second 1.", late.body["job_id"])
    double.healthy = True
    answer = bench.gateway().post(PATH, wav_bytes(1), headers=key, profiles="title")
    assert answer.body["profiles"]["title"]
    assert bench.engine.calls == 1


def test_a_server_that_answers_nonsense_is_named_with_what_it_answered(
    bench: GatewayBench, double: VllmDouble
) -> None:
    """The waiting person learns what is wrong with the server's answers, and not that it is silent."""
    double.always = Fault.GARBAGE
    late = bench.gateway(answer_timeout_seconds=5.0).post(PATH, wav_bytes(1), profiles="title")
    assert (late.status, late.reason) == (504, "enrichment_timeout")
    message = late.body["error"]["message"]
    assert "an answer that is not JSON" in message
    assert "not what you asked for" in message
    assert "has not answered" not in message


def test_an_answer_that_was_cut_off_is_marked_as_cut_off(bench: GatewayBench, double: VllmDouble) -> None:
    """A client that shows the text knows that it is not all there is."""
    double.text = " ".join(segment.text for segment in spoken(2_000))
    answer = bench.gateway().post(PATH, wav_bytes(1), instruction=INSTRUCTION)
    assert (answer.body["truncated"], answer.body["coverage"]) == (True, 1.0)
    assert answer.body["details"]["instruction"]["finish_reasons"] == ["length"]
