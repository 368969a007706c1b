"""DELETE: a running job is cancelled, any other is deleted, and then it is as if it had never been."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from producers.results import ResultStore
from schemas.identity import job_id
from tests.flow.front_doors.jobs.job_client import JobClient
from tests.flow.gateway import GatewayBench
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import ObjectStore
from tests.support.waiting import eventually

KEY: Final = "call-7"
JOB: Final = job_id(KEY)


def client_of(bench: GatewayBench) -> JobClient:
    """Start a replica, and return its client."""
    return JobClient(bench.gateway().port)


def assert_unknown(client: JobClient, job: str) -> None:
    """Check that no route knows the job."""
    for path in ("", "/transcript", "/transcript?as=srt", "/enrichments", "/events"):
        assert client.get(f"/v1/jobs/{job}{path}").refusal == (404, "job_not_found"), path
    assert client.post_json(f"/v1/jobs/{job}/enrich", {"profiles": ["title"]}).refusal == (404, "job_not_found")
    assert client.delete(job).refusal == (404, "job_not_found")


def test_a_finished_job_is_deleted_with_all_that_is_stored_for_it(bench: GatewayBench, store: ObjectStore) -> None:
    """At every replica, also one that starts later; the same request does it anew."""
    bench.start_transcriber()
    client, beside = client_of(bench), client_of(bench)
    client.submit(wav_bytes(1), key=KEY, exports="srt,text")
    assert client.transcript(JOB).status == 200
    assert beside.transcript(JOB).status == 200
    answer = client.delete(JOB)
    assert (answer.status, answer.body) == (
        200,
        {
            "success": True,
            "job_id": JOB,
            "transcript": "deleted",
            "upload": True,
            "source": "kept",
            "other_objects": 2,
        },
    )
    assert store.keys(bench.settings.s3.bucket) == [f"kascribe-results/deleted/{JOB}.json"]
    for replica in (client, beside, client_of(bench)):
        assert_unknown(replica, JOB)
    assert client.submit(wav_bytes(1), key=KEY, exports="srt,text").status == 202
    assert beside.transcript(JOB, "text").content == b"second 1.\n"
    assert bench.engine.calls == 2


def test_a_deleted_key_may_name_other_audio(bench: GatewayBench) -> None:
    """Nothing remembers what it named before."""
    bench.start_transcriber()
    client = client_of(bench)
    client.submit(wav_bytes(1), key=KEY)
    client.transcript(JOB)
    client.delete(JOB)
    client.submit(wav_bytes(3), key=KEY, language="ko")
    assert client.transcript(JOB, "json").body["text"] == "second 1. second 2. second 3."


def test_a_running_job_is_cancelled_and_deleted_when_it_has_ended(bench: GatewayBench, store: ObjectStore) -> None:
    """202 first; once it is cancelled, another DELETE removes it, and the same request does it anew."""
    bench.start_transcriber()
    client = client_of(bench)
    bench.engine.gate.clear()
    client.submit(wav_bytes(1), key=KEY)
    eventually(lambda: bench.engine.running, timeout_seconds=20)
    cancelled = client.delete(JOB)
    assert (cancelled.status, cancelled.headers["location"]) == (202, f"/v1/jobs/{JOB}")
    eventually(lambda: not bench.engine.running, timeout_seconds=20)
    ended = client.transcript(JOB)
    assert (ended.refusal, ended.body["phase"]) == ((409, "job_cancelled"), "cancelled")
    bench.engine.gate.set()
    deleted = client.delete(JOB)
    assert (deleted.status, deleted.body["transcript"], deleted.body["upload"]) == (200, "absent", True)
    assert store.keys(bench.settings.s3.bucket) == [f"kascribe-results/deleted/{JOB}.json"]
    assert_unknown(client, JOB)
    assert_unknown(client_of(bench), JOB)
    assert client.submit(wav_bytes(1), key=KEY).status == 202
    assert client.transcript(JOB).status == 200


def test_a_cancelled_job_is_done_when_it_is_requested_again(bench: GatewayBench) -> None:
    """Without being deleted before; from the 202 on it is no longer cancelled."""
    bench.start_transcriber()
    client = client_of(bench)
    bench.engine.gate.clear()
    client.submit(wav_bytes(1), key=KEY)
    eventually(lambda: bench.engine.running == 1, timeout_seconds=20)
    assert client.delete(JOB).status == 202
    eventually(lambda: client.get(f"/v1/jobs/{JOB}").body["phase"] == "cancelled", timeout_seconds=20)
    assert client.submit(wav_bytes(1), key=KEY).status == 202
    assert client.get(f"/v1/jobs/{JOB}").body["phase"] != "cancelled"
    bench.engine.gate.set()
    assert client.transcript(JOB).status == 200
    assert bench.engine.calls == 2


def test_a_failed_job_is_deleted(bench: GatewayBench, store: ObjectStore) -> None:
    """With its upload and its failure; its events in the topic do not bring it back."""
    bench.start_transcriber()
    client = client_of(bench)
    client.submit(b"not audio", key=KEY)
    assert client.transcript(JOB).refusal == (422, "audio_undecodable")
    deleted = client.delete(JOB)
    assert (deleted.status, deleted.body["upload"], deleted.body["other_objects"]) == (200, True, 1)
    assert_unknown(client, JOB)
    assert_unknown(client_of(bench), JOB)
    assert store.keys(bench.settings.s3.bucket) == [f"kascribe-results/deleted/{JOB}.json"]


def test_a_shared_transcript_stays_for_the_other_job(bench: GatewayBench) -> None:
    """Two jobs with the same audio: the transcript goes with the second, whichever that is."""
    bench.start_transcriber()
    client = client_of(bench)
    jobs = [client.submit(wav_bytes(2)).body["job_id"] for _ in range(2)]
    for job in jobs:
        assert client.transcript(job).status == 200
    assert bench.engine.calls == 1
    assert client.delete(jobs[0]).body["transcript"] == "shared"
    assert client.get(f"/v1/jobs/{jobs[1]}/transcript?as=text").content == b"second 1. second 2.\n"
    assert client.delete(jobs[1]).body["transcript"] == "deleted"
    assert client.submit(wav_bytes(2), key=KEY).status == 202
    assert client.transcript(JOB).status == 200
    assert bench.engine.calls == 2


def test_deletions_beside_jobs_that_reuse_the_same_transcript_lose_no_words(bench: GatewayBench) -> None:
    """Over two replicas, each job is deleted while others with the same audio are being done: every job that is
    finished has its words, whatever came first."""
    bench.start_transcriber()
    clients = (client_of(bench), client_of(bench))

    def run(number: int) -> tuple[int, str]:
        client = clients[number % 2]
        job = client.submit(wav_bytes(1)).body["job_id"]
        words = client.transcript(job, "text")
        return words.status if words.content == b"second 1.\n" else 0, client.delete(job).body["transcript"]

    with ThreadPoolExecutor(8) as threads:
        ended = list(threads.map(run, range(32)))
    assert {status for status, _ in ended} == {200}
    assert {became for _, became in ended} <= {"shared", "deleted"}
    left = bench.client.list_objects_v2(Bucket=bench.settings.s3.bucket, Prefix="kascribe-results/")["Contents"]
    assert {key["Key"].split("/")[1] for key in left} == {"deleted"}


def test_an_object_that_the_job_only_named_stays(bench: GatewayBench, store: ObjectStore) -> None:
    """It belongs to whoever put it in the bucket; a finished job of POST /transcribe loses its upload."""
    bench.start_transcriber()
    gateway = bench.gateway()
    client = JobClient(gateway.port)
    store.put(bench.settings.s3, "calls/a.wav", wav_bytes(1))
    uri = f"s3://{bench.settings.s3.bucket}/calls/a.wav"
    named = client.submit_json({"uri": uri}).body["job_id"]
    client.transcript(named)
    assert client.delete(named).body["upload"] is False
    assert "calls/a.wav" in store.keys(bench.settings.s3.bucket)
    posted = gateway.post("/transcribe", wav_bytes(2)).body["job_id"]
    assert client.delete(posted).body["upload"] is True
    assert not [key for key in store.keys(bench.settings.s3.bucket) if key.startswith("kascribe-uploads/")]


def test_jobs_of_an_earlier_release_leave_their_transcripts(bench: GatewayBench, store: ObjectStore) -> None:
    """Who else uses them is not known, and the answer says so; the job itself is deleted."""
    bench.start_transcriber()
    client = client_of(bench)
    client.submit(wav_bytes(1), key=KEY)
    client.transcript(JOB)
    results, settings = ResultStore(bench.settings.s3, client=bench.client), bench.settings.s3
    stored = results.find_job(JOB)
    assert stored is not None
    key = f"kascribe-results/transcripts/{stored.content_key}.json"
    body = results.read_transcript(stored.content_key)
    assert body is not None
    store.put(settings, key, body)
    assert client.delete(JOB).body["transcript"] == "users_unknown"
    assert key in store.keys(settings.bucket)
    assert_unknown(client, JOB)
