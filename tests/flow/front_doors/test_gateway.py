"""The gateway on real sockets, an embedded broker and a bucket, with the real transcriber behind it."""

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from producers.results import ResultStore
from schemas.identity import content_key, job_id
from schemas.options import TranscribeOptions
from schemas.transcripts.transcript import QualityFlag
from tests.flow.gateway import TOPICS, GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import ObjectStore, running_object_store
from tests.support.waiting import eventually

KEY: Final = {"Idempotency-Key": "call-7"}


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Run one S3 server for the module; every test has its own bucket."""
    with running_object_store() as running:
        yield running


@pytest.fixture
def bench(broker: MockCluster, store: ObjectStore) -> Iterator[GatewayBench]:
    """Open a broker with topics and a bucket; the test starts consumers and gateways."""
    with gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened:
        yield opened


def test_a_posted_file_comes_back_as_text(bench: GatewayBench) -> None:
    """The promised line: success, text and language; the trace of the request is named in the answer."""
    bench.start_transcriber()
    gateway = bench.gateway()
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    answer = gateway.post("/transcribe", wav_bytes(2), headers=headers, language="ko")
    assert answer.status == 200
    assert answer.body["success"] is True
    assert answer.body["text"] == "second 1. second 2."
    assert answer.body["language"] == "ko"
    assert answer.headers["x-trace-id"] == trace_id
    (reference,) = records_on(bench.settings.kafka.bootstrap_servers, TOPICS.references, count=1, partitions=4)
    assert trace_id.encode() in (reference.header("traceparent") or b"")
    assert json.loads(reference.value or b"{}")["lane"] == "interactive"


def test_each_of_two_replicas_finds_its_own_answers(bench: GatewayBench) -> None:
    """Twelve requests at once over two gateways: each gets the text of what it sent."""
    bench.start_transcriber()
    gateways = (bench.gateway(), bench.gateway())
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda n: gateways[n % 2].post("/transcribe", wav_bytes(n + 1)), range(12)))
    assert [len(answer.body["text"].split(". ")) for answer in answers] == list(range(1, 13))


def test_two_requests_with_one_key_on_one_replica_are_one_job(bench: GatewayBench) -> None:
    """Both are answered although only one record is processed."""
    bench.start_transcriber()
    gateway = bench.gateway()
    bench.engine.gate.clear()
    with ThreadPoolExecutor(2) as clients:
        pending = [clients.submit(gateway.post, "/transcribe", wav_bytes(1), headers=KEY) for _ in range(2)]
        eventually(lambda: gateway.waiting == 2 and bench.engine.running, timeout_seconds=20)
        bench.engine.gate.set()
        answers = [each.result() for each in pending]
    assert [answer.body["text"] for answer in answers] == ["second 1."] * 2
    assert bench.engine.calls == 1


def test_a_finished_job_is_answered_without_another_upload(bench: GatewayBench, store: ObjectStore) -> None:
    """The same key again, at another replica, gives the stored answer; the bucket gets nothing new."""
    bench.start_transcriber()
    first = bench.gateway().post("/transcribe", wav_bytes(1), headers=KEY)
    keys = store.keys(bench.settings.s3.bucket)
    again = bench.gateway().post("/transcribe", wav_bytes(1), headers=KEY)
    assert again.body == first.body
    assert store.keys(bench.settings.s3.bucket) == keys
    assert bench.engine.calls == 1


def test_a_key_that_was_used_for_something_else_is_refused(bench: GatewayBench) -> None:
    """422 for other audio and for other options, whether the first job is done or runs; the first is answered."""
    bench.start_transcriber()
    gateway = bench.gateway()
    bench.engine.gate.clear()
    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(gateway.post, "/transcribe", wav_bytes(1), headers=KEY)
        eventually(lambda: bench.engine.running == 1, timeout_seconds=20)
        other_audio = clients.submit(gateway.post, "/transcribe", wav_bytes(3), headers=KEY)
        eventually(lambda: gateway.waiting == 2, timeout_seconds=30)
        bench.engine.gate.set()
        refused = [other_audio.result()]
    assert first.result().body["text"] == "second 1."
    refused.append(gateway.post("/transcribe", wav_bytes(3), headers=KEY))
    refused.append(gateway.post("/transcribe", wav_bytes(1), headers=KEY, word_timestamps="true"))
    for answer in refused:
        assert (answer.status, answer.reason) == (422, "idempotency_key_reused")
    assert bench.engine.calls == 1


def test_the_model_s_name_makes_no_other_request(bench: GatewayBench) -> None:
    """A client that names the default model and one that names none get the same transcript."""
    bench.start_transcriber()
    gateway = bench.gateway()
    named = gateway.post("/transcribe", wav_bytes(1), model="wav-listener")
    for _ in range(2):
        assert gateway.post("/transcribe", wav_bytes(1), headers=KEY).body["text"] == named.body["text"]
    assert bench.engine.calls == 1


def test_an_answer_whose_event_never_comes_is_found_in_the_bucket(bench: GatewayBench) -> None:
    """While a request waits, the gateway polls the bucket: a job that another record owns is answered too."""
    bench.start_transcriber()
    finished = bench.gateway().post("/transcribe", wav_bytes(1))
    results = ResultStore(bench.settings.s3, client=bench.client)
    stored = results.find_job(finished.body["job_id"])
    assert stored is not None
    bench.engine.gate.clear()
    gateway = bench.gateway()
    with ThreadPoolExecutor(1) as client:
        pending = client.submit(gateway.post, "/transcribe", wav_bytes(2), headers=KEY)
        eventually(lambda: bench.engine.running, timeout_seconds=20)
        content = content_key(
            audio_sha256=hashlib.sha256(wav_bytes(2)).hexdigest(),
            options=TranscribeOptions(),
            model_sha256=stored.event.provenance.model_sha256,
        )
        event = stored.event.model_copy(
            update={
                "job_id": job_id("call-7"),
                "text": "by another",
                "flags": (QualityFlag.AUDIO_INCOMPLETE,),
                "transcript_uri": results.transcript_uri(content),
            }
        )
        results.create_job(stored.model_copy(update={"job_id": job_id("call-7"), "event": event}))
        answer = pending.result().body
        assert (answer["text"], answer["flags"]) == ("by another", ["audio_incomplete"])


def test_a_client_that_leaves_cancels_its_job_and_may_try_again(bench: GatewayBench) -> None:
    """The engine stops, no transcript is made; the same key works afterwards."""
    bench.start_transcriber()
    gateway = bench.gateway()
    bench.engine.gate.clear()
    connection = gateway.begin("/transcribe", wav_bytes(1), headers=KEY)
    eventually(lambda: bench.engine.running == 1, timeout_seconds=20, what="the job's start")
    connection.close()
    eventually(lambda: bench.engine.running == 0, timeout_seconds=30, what="the job's end")
    assert gateway.waiting == 0
    assert ResultStore(bench.settings.s3, client=bench.client).find_job(job_id("call-7")) is None
    bench.engine.gate.set()
    assert gateway.post("/transcribe", wav_bytes(1), headers=KEY).body["text"] == "second 1."


def test_a_request_for_the_same_job_elsewhere_survives_the_others_cancellation(bench: GatewayBench) -> None:
    """A client that reconnects to another replica before its old connection is missed gets its answer."""
    bench.start_transcriber()
    first, second = bench.gateway(), bench.gateway()
    bench.engine.gate.clear()
    connection = first.begin("/transcribe", wav_bytes(1), headers=KEY)
    eventually(lambda: bench.engine.running == 1, timeout_seconds=20)
    with ThreadPoolExecutor(1) as client:
        pending = client.submit(second.post, "/transcribe", wav_bytes(1), headers=KEY)
        eventually(lambda: second.waiting == 1, timeout_seconds=30)
        records_on(bench.settings.kafka.bootstrap_servers, TOPICS.references, count=2, partitions=4)
        connection.close()
        # The second gateway receives the cancellation and submits the job again, which went on or starts over.
        records_on(bench.settings.kafka.bootstrap_servers, TOPICS.cancellations, count=1, partitions=4)
        records_on(bench.settings.kafka.bootstrap_servers, TOPICS.references, count=3, partitions=4)
        bench.engine.gate.set()
        assert pending.result().body["text"] == "second 1."


def test_one_of_two_clients_that_wait_for_a_job_may_leave(bench: GatewayBench) -> None:
    """A job is cancelled when its last waiting client leaves, not when the first does."""
    bench.start_transcriber()
    gateway = bench.gateway()
    bench.engine.gate.clear()
    leaving = gateway.begin("/transcribe", wav_bytes(1), headers=KEY)
    eventually(lambda: bench.engine.running == 1, timeout_seconds=20)
    with ThreadPoolExecutor(1) as client:
        staying = client.submit(gateway.post, "/transcribe", wav_bytes(1), headers=KEY)
        eventually(lambda: gateway.waiting == 2, timeout_seconds=30)
        leaving.close()
        eventually(lambda: gateway.waiting == 1, timeout_seconds=30)
        bench.engine.gate.set()
        assert staying.result().body["text"] == "second 1."
    assert bench.engine.calls == 1


def test_a_failed_job_gives_its_reason_and_fails_again_when_repeated(bench: GatewayBench) -> None:
    """The dead letter's reason with its status, each time: a failure is not stored as an answer."""
    bench.start_transcriber()
    gateway = bench.gateway()
    for _ in range(2):
        answer = gateway.post("/transcribe", b"no audio at all", headers=KEY)
        assert (answer.status, answer.reason) == (422, "audio_undecodable")
    refused = gateway.post("/transcribe", wav_bytes(1), task="translate")
    assert (refused.status, refused.reason) == (400, "invalid_options")


def test_a_text_too_long_for_its_event_comes_from_the_bucket(bench: GatewayBench) -> None:
    """What the event leaves out is read where it was stored."""
    bench.start_transcriber()
    answer = bench.gateway().post("/transcribe", wav_bytes(6_000, sample_rate_hertz=20))
    assert len(answer.body["text"].encode()) > 65_536
    assert answer.body["text"].endswith("second 6000.")


def test_requests_that_wait_when_the_gateway_stops_are_told_to_try_again(bench: GatewayBench) -> None:
    """503 with the reason, not a connection that breaks; a job with a key from the caller goes on."""
    bench.start_transcriber()
    gateway = bench.gateway()
    bench.engine.gate.clear()
    with ThreadPoolExecutor(1) as client:
        pending = client.submit(gateway.post, "/transcribe", wav_bytes(1), headers=KEY)
        eventually(lambda: bench.engine.running == 1, timeout_seconds=20)
        gateway.server.finish_seconds = 0.1
        gateway.stop()
        answer = pending.result()
    assert (answer.status, answer.reason) == (503, "stopping")
    assert answer.headers["retry-after"]
    gateway.thread.join(30)
    assert not gateway.thread.is_alive()
    bench.engine.gate.set()
    assert bench.gateway().post("/transcribe", wav_bytes(1), headers=KEY).body["text"] == "second 1."
    assert bench.engine.calls == 1


def test_a_job_that_takes_too_long_is_answered_with_504(bench: GatewayBench) -> None:
    """And cancelled, since without a key no client can request it again."""
    bench.start_transcriber()
    gateway = bench.gateway(answer_timeout_seconds=1.0)
    bench.engine.gate.clear()
    answer = gateway.post("/transcribe", wav_bytes(1))
    assert (answer.status, answer.reason) == (504, "answer_timeout")
    eventually(lambda: bench.engine.running == 0, timeout_seconds=30)


def test_many_threads_may_send_requests_at_once(bench: GatewayBench) -> None:
    """Forty requests over one replica, some of them bad: each gets its own answer."""
    bench.start_transcriber()
    gateway = bench.gateway()
    statuses: list[int] = []
    lock = threading.Lock()

    def send(number: int) -> None:
        good = number % 4 != 0
        answer = gateway.post("/transcribe", wav_bytes(1) if good else b"bad")
        with lock:
            statuses.append(answer.status if good else -answer.status)

    with ThreadPoolExecutor(40) as clients:
        list(clients.map(send, range(40)))
    assert sorted(set(statuses)) == [-422, 200]
    assert gateway.waiting == 0
