"""Submitting jobs: uploads and objects in, 202 out, and the transcript later, from any replica."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from producers.results import ResultStore
from schemas.identity import job_id
from tests.flow.front_doors.jobs.job_client import JobClient
from tests.flow.gateway import TOPICS, GatewayBench
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import ObjectStore
from tests.support.waiting import eventually

KEY: Final = "call-7"


def client_of(bench: GatewayBench) -> JobClient:
    """Start a replica, and return its client."""
    return JobClient(bench.gateway().port)


def results_of(bench: GatewayBench) -> ResultStore:
    """Open the results in the bench's bucket."""
    return ResultStore(bench.settings.s3, client=bench.client)


def references(bench: GatewayBench, *, count: int) -> list[dict[str, object]]:
    """Read the references that were published."""
    bootstrap_servers = bench.settings.kafka.bootstrap_servers
    records = records_on(bootstrap_servers, TOPICS.references, count=count, partitions=4)
    return [json.loads(record.value or b"{}") for record in records]


def test_an_upload_is_accepted_at_once_and_transcribed_later(bench: GatewayBench) -> None:
    """202 names the job and where to follow it, before any transcriber runs; the job waits in bucket and topic."""
    client = client_of(bench)
    answer = client.submit(wav_bytes(2), language="ko", lane="interactive", metadata="case=17")
    named = answer.body
    assert (answer.status, answer.headers["location"]) == (202, f"/v1/jobs/{named['job_id']}")
    assert named["success"] is True
    assert named["job_id"] == job_id(named["idempotency_key"])
    assert named["status_url"] == answer.headers["location"]
    assert named["events_url"] == f"{named['status_url']}/events"
    waiting = client.get(named["transcript_url"])
    assert waiting.refusal == (409, "not_finished")
    assert (waiting.body["phase"], int(waiting.headers["retry-after"]) > 0) == ("accepted", True)
    (reference,) = references(bench, count=1)
    assert (reference["lane"], reference["metadata"]) == ("interactive", {"name": "audio.wav", "case": "17"})
    bench.start_transcriber()
    transcript = client.transcript(named["job_id"])
    assert (transcript.status, transcript.body["text"]) == (200, "second 1. second 2.")
    assert transcript.body["language"] == "ko"


def test_a_job_outlives_its_gateway(bench: GatewayBench) -> None:
    """Its transcript is there from a replica that started after it was submitted, and from one beside it."""
    first, beside = bench.gateway(), client_of(bench)
    submitted = JobClient(first.port).submit(wav_bytes(2)).body["job_id"]
    first.stop()
    eventually(lambda: not first.thread.is_alive(), timeout_seconds=20, what="the gateway's end")
    later = client_of(bench)
    for client in (beside, later):
        assert client.get(f"/v1/jobs/{submitted}/transcript").refusal == (409, "not_finished")
    bench.start_transcriber()
    for client in (beside, later):
        assert client.transcript(submitted, "text").content == b"second 1. second 2.\n"


def test_an_object_in_the_bucket_is_transcribed_where_it_is(bench: GatewayBench, store: ObjectStore) -> None:
    """JSON names it, with options as an event has them; nothing is uploaded."""
    bench.start_transcriber()
    store.put(bench.settings.s3, "calls/a b.wav", wav_bytes(1))
    uri = f"s3://{bench.settings.s3.bucket}/calls/a b.wav"
    options = {"language": "en", "word_timestamps": True}
    client = client_of(bench)
    answer = client.submit_json({"uri": uri, "options": options, "metadata": {"case": "17"}, "lane": "bulk"})
    assert answer.status == 202
    transcript = client.transcript(answer.body["job_id"])
    assert transcript.body["segments"][0]["words"][0]["word"] == " second"
    stored = results_of(bench).find_job(answer.body["job_id"])
    assert stored is not None
    assert (stored.event.source.uri, stored.event.metadata) == (uri, {"case": "17"})
    assert not [key for key in store.keys(bench.settings.s3.bucket) if key.startswith("kascribe-uploads/")]


def test_equal_requests_with_one_key_are_one_job(bench: GatewayBench, store: ObjectStore) -> None:
    """At once or later, over two replicas: one upload stays, the audio is transcribed once."""
    clients = (client_of(bench), client_of(bench))
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda n: clients[n % 2].submit(wav_bytes(1), key=KEY), range(6)))
    assert {answer.status for answer in answers} == {202}
    assert {answer.body["job_id"] for answer in answers} == {job_id(KEY)}
    bench.start_transcriber()
    assert clients[0].transcript(job_id(KEY)).status == 200
    keys = store.keys(bench.settings.s3.bucket)
    assert clients[1].submit(wav_bytes(1), key=KEY).status == 202
    assert store.keys(bench.settings.s3.bucket) == keys
    assert len([key for key in keys if key.startswith("kascribe-uploads/")]) == 1
    assert bench.engine.calls == 1


@pytest.mark.parametrize("finished", [False, True], ids=["accepted", "finished"])
def test_a_key_that_was_used_for_something_else_is_refused(bench: GatewayBench, *, finished: bool) -> None:
    """Other audio, other options, another tenant: 422, and nothing is published for it."""
    client = client_of(bench)
    client.submit(wav_bytes(1), key=KEY, language="ko")
    if finished:
        bench.start_transcriber()
        assert client.transcript(job_id(KEY)).status == 200
    for fields in (
        {"language": "en"},
        {"language": "ko", "tenant": "other"},
        {"language": "ko", "exports": "srt"},
    ):
        assert client.submit(wav_bytes(1), key=KEY, **fields).refusal == (422, "idempotency_key_reused")
    assert client.submit(wav_bytes(2), key=KEY, language="ko").refusal == (422, "idempotency_key_reused")
    named = {"uri": f"s3://{bench.settings.s3.bucket}/a.wav", "options": {"language": "ko"}}
    assert client.submit_json(named, key=KEY).refusal == (422, "idempotency_key_reused")
    assert len(references(bench, count=1)) == 1


def test_a_job_of_the_other_routes_is_the_same_job(bench: GatewayBench) -> None:
    """A key that POST /transcribe has used names its job here too."""
    bench.start_transcriber()
    gateway = bench.gateway()
    first = gateway.post("/transcribe", wav_bytes(1), headers={"Idempotency-Key": KEY})
    client = JobClient(gateway.port)
    assert client.submit(wav_bytes(1), key=KEY).body["job_id"] == first.body["job_id"]
    assert client.submit(wav_bytes(2), key=KEY).refusal == (422, "idempotency_key_reused")
    assert client.transcript(first.body["job_id"], "json").body["text"] == first.body["text"]
    assert bench.engine.calls == 1


def test_a_failed_job_says_why_and_is_done_anew_when_it_is_requested_again(bench: GatewayBench) -> None:
    """The failure answers with its own status and reason; the same request starts another attempt."""
    bench.start_transcriber()
    client = client_of(bench)
    submitted = client.submit(b"not audio", key=KEY).body["job_id"]
    failed = client.transcript(submitted)
    assert failed.refusal == (422, "audio_undecodable")
    assert failed.body["phase"] == "failed"
    assert client.submit(b"not audio", key=KEY).status == 202
    assert len(references(bench, count=2)) == 2
    assert client.transcript(submitted).refusal == (422, "audio_undecodable")


def test_bad_requests_are_refused_before_anything_is_stored(bench: GatewayBench, store: ObjectStore) -> None:
    """Each says what to do, as on /transcribe; what names no audio of the caller's is refused."""
    client, bucket = client_of(bench), bench.settings.s3.bucket
    audio = wav_bytes(1)
    assert client.submit(None, language="ko").refusal == (400, "file_missing")
    assert client.submit(b"").refusal == (422, "audio_empty")
    for fields in (
        {"langage": "ko"},
        {"language": "xx"},
        {"lane": "fast"},
        {"metadata": "case"},
        {"metadata": '{"case": 17}'},
        {"metadata": "x=" + "y" * 20_000},
        {"answer_language": "ko"},
        {"temperature": "1"},
    ):
        assert client.submit(audio, **fields).refusal == (400, "invalid_options"), fields
    good = f"s3://{bucket}/a.wav"
    for body in (
        {},
        {"uri": "https://example.com/a.wav"},
        {"uri": good, "option": {}},
        {"uri": good, "options": {"langage": "ko"}},
        {"uri": good, "options": {"beam_size": "5"}},
        {"uri": good, "enrich": {}},
        {"uri": good, "metadata": {"case": 17}},
        {"uri": good, "lane": "fast"},
        {"uri": good, "tenant": ["a"]},
    ):
        assert client.submit_json(body).refusal[0] in (400, 403), body
    for uri in (
        "s3://another-bucket/a.wav",
        f"s3://{bucket}/kascribe-results/transcripts/c.json",
        f"s3://{bucket}/kascribe-uploads/1/a.wav",
        f"s3://{bucket}//kascribe-uploads/1/a.wav",
        f"s3://{bucket}/x/../kascribe-uploads/1/a.wav",
    ):
        assert client.submit_json({"uri": uri}).refusal == (403, "source_not_allowed"), uri
    assert client.request("POST", "/v1/jobs", audio, {"Content-Type": "audio/wav"}).refusal == (
        415,
        "unsupported_media_type",
    )
    for text in (b"[1]", b"{", b"\xff", b"[" * 100_000):
        refused = client.request("POST", "/v1/jobs", text, {"Content-Type": "application/json"})
        assert refused.refusal == (400, "invalid_json")
    large = client.request("POST", "/v1/jobs", b" " * (1024**2 + 1), {"Content-Type": "application/json"})
    assert large.refusal == (413, "body_too_large")
    assert store.keys(bucket) == []


def test_a_job_is_not_accepted_while_the_broker_is_away(
    bench: GatewayBench, broker: MockCluster, store: ObjectStore
) -> None:
    """503: nothing stays of a job without a key; with a key it can be requested again."""
    client, bucket = client_of(bench), bench.settings.s3.bucket
    broker.stop_broker()
    with ThreadPoolExecutor(2) as threads:
        unnamed = threads.submit(client.submit, wav_bytes(1))
        named = threads.submit(client.submit, wav_bytes(1), key=KEY)
        for answer in (unnamed.result(), named.result()):
            assert answer.refusal == (503, "dependency_down")
            assert int(answer.headers["retry-after"]) > 0
    broker.start_broker()
    kinds = sorted(key.split("/")[0:2][-1] if "results" in key else "upload" for key in store.keys(bucket))
    assert kinds == ["accepted", "upload"]
    assert client.submit(wav_bytes(1), key=KEY).status == 202
    bench.start_transcriber()
    assert client.transcript(job_id(KEY)).status == 200
