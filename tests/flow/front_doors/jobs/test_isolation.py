"""Another tenant's job is no job, on every route; and rights of keys."""

from datetime import UTC, datetime
from typing import Final

import pytest

from producers.api_keys.key import ApiKey
from producers.api_keys.rights import Right
from producers.api_keys.store import ApiKeys
from tests.flow.front_doors.jobs.job_client import Answer, JobClient
from tests.flow.gateway import GatewayBench, multipart
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import ObjectStore

KEY: Final = "call-7"
ROUTES: Final = [
    ("GET", ""),
    ("GET", "/events"),
    ("GET", "/transcript"),
    ("GET", "/transcript?as=deepgram"),
    ("GET", "/enrichments"),
    ("GET", "/audio"),
    ("POST", "/enrich"),
    ("DELETE", ""),
]


class KeyedClient(JobClient):
    """A client with an API key."""

    def __init__(self, port: int, secret: str) -> None:
        super().__init__(port)
        self._secret = secret

    def request(self, method: str, path: str, body: bytes | None = None, headers: object = None) -> Answer:
        """Send one request with the key."""
        given = dict(headers) if isinstance(headers, dict) else {}
        return super().request(method, path, body, {**given, "Authorization": f"Bearer {self._secret}"})


def issue(bench: GatewayBench, tenant: str, *rights: Right) -> str:
    """Make a key; return its secret."""
    key = ApiKey(
        id=f"{tenant}-{len(rights)}",
        name=tenant,
        tenant=tenant,
        rights=rights or tuple(Right),
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    return ApiKeys(bench.settings.s3, client=bench.client).issue(key)


@pytest.fixture
def port(bench: GatewayBench) -> int:
    """Start the transcriber, and a replica that requires keys."""
    bench.start_transcriber()
    return bench.gateway(keys="required").port


def test_another_tenants_job_is_no_job_on_any_route(bench: GatewayBench, port: int) -> None:
    """The answer is that for a job that never was, to the letter; and nothing happens to the job."""
    ours, theirs = (KeyedClient(port, issue(bench, tenant)) for tenant in ("ours", "theirs"))
    job = ours.submit(wav_bytes(1), key=KEY, word_timestamps="true").body["job_id"]
    assert ours.transcript(job).status == 200
    missing = "f" * 32
    for method, route in ROUTES:
        seen = theirs.request(method, f"/v1/jobs/{job}{route}", b"{}", {"Content-Type": "application/json"})
        unknown = theirs.request(method, f"/v1/jobs/{missing}{route}", b"{}", {"Content-Type": "application/json"})
        assert seen.refusal == (404, "job_not_found"), route
        assert (seen.status, seen.body) == (unknown.status, unknown.body), route
    assert ours.get(f"/v1/jobs/{job}/transcript").status == 200


def test_two_tenants_with_one_key_have_two_jobs(bench: GatewayBench, port: int) -> None:
    """An Idempotency-Key of another tenant neither collides with it nor tells that it is there."""
    ours, theirs = (KeyedClient(port, issue(bench, tenant)) for tenant in ("ours", "theirs"))
    first = ours.submit(wav_bytes(1), key=KEY).body
    second = theirs.submit(wav_bytes(2), key=KEY)
    assert second.status == 202
    assert second.body["job_id"] != first["job_id"]
    assert theirs.transcript(second.body["job_id"], "json").body["text"] == "second 1. second 2."
    # The key that the answer names is the same job, as is the caller's own.
    assert ours.submit(wav_bytes(1), key=first["idempotency_key"]).body["job_id"] == first["job_id"]
    assert ours.submit(wav_bytes(1), key=KEY).body["job_id"] == first["job_id"]


def test_deleting_a_job_leaves_the_same_words_of_another_tenant(bench: GatewayBench, port: int) -> None:
    """Transcripts are shared by content across tenants; a deletion is not."""
    ours, theirs = (KeyedClient(port, issue(bench, tenant)) for tenant in ("ours", "theirs"))
    mine = ours.submit(wav_bytes(1)).body["job_id"]
    assert ours.transcript(mine).status == 200
    other = theirs.submit(wav_bytes(1)).body["job_id"]
    assert theirs.transcript(other).status == 200
    assert ours.delete(mine).body["transcript"] == "shared"
    assert theirs.get(f"/v1/jobs/{other}/transcript").status == 200


def test_each_route_needs_its_right(bench: GatewayBench, port: int, store: ObjectStore) -> None:
    """403 without it, 401 without a key, before anything is read or stored."""
    everything = KeyedClient(port, issue(bench, "ours"))
    job = everything.submit(wav_bytes(1)).body["job_id"]
    everything.transcript(job)
    reader = KeyedClient(port, issue(bench, "ours", Right.READ))
    writer = KeyedClient(port, issue(bench, "ours", Right.TRANSCRIBE, Right.ENRICH))
    before = store.keys(bench.settings.s3.bucket)
    uri = f"s3://{bench.settings.s3.bucket}/a.wav"
    missing = [
        reader.submit(wav_bytes(1)),
        reader.delete(job),
        reader.post_json(f"/v1/jobs/{job}/enrich", {"profiles": ["title"]}),
        writer.submit_json({"uri": uri}),
        writer.get(f"/v1/jobs/{job}/transcript"),
        writer.get(f"/v1/jobs/{job}/enrichments"),
        writer.get(f"/v1/jobs/{job}/audio"),
        writer.delete(job),
    ]
    assert {answer.refusal for answer in missing} == {(403, "right_missing")}
    assert writer.submit(wav_bytes(1), tenant="theirs").refusal == (403, "tenant_mismatch")
    body, content_type = multipart(wav_bytes(1))
    for method, path in [("POST", "/v1/jobs"), *((method, f"/v1/jobs/{job}{route}") for method, route in ROUTES)]:
        nobody = JobClient(port).request(method, path, body, {"Content-Type": content_type})
        assert nobody.status == 401, path
    assert store.keys(bench.settings.s3.bucket) == before
