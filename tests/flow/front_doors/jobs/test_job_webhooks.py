"""``webhook_url`` of ``POST /v1/jobs``: from the request, or the caller's key, to every event of the job."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from producers.api_keys.key import ApiKey, KeyDefaults
from producers.api_keys.rights import Right
from producers.api_keys.store import ApiKeys
from tests.flow.front_doors.jobs.job_client import JobClient
from tests.flow.front_doors.jobs.test_isolation import KeyedClient
from tests.flow.gateway import TOPICS, GatewayBench
from tests.flow.reading import records_on
from tests.sound.wav_listener import wav_bytes

URL: Final = "https://hooks.example/kascribe?call=7"
OTHER_URL: Final = "https://hooks.example/other"
KEY: Final = "call-7"


def _events(bench: GatewayBench, topic: str, *, count: int) -> list[dict[str, Any]]:
    servers = bench.settings.kafka.bootstrap_servers
    records = records_on(servers, topic, count=count, partitions=4, timeout_seconds=30)
    return [json.loads(record.value or b"{}") for record in records]


def test_every_event_of_a_job_has_the_url_of_its_request(bench: GatewayBench) -> None:
    """A second request with another URL is the same job: its receiver gets a transcript's event of its own."""
    client = JobClient(bench.gateway().port)
    bench.start_transcriber()
    job = client.submit(wav_bytes(1), key=KEY, webhook_url=URL).body["job_id"]
    assert client.transcript(job).status == 200
    for url in (URL, OTHER_URL):
        again = client.submit(wav_bytes(1), key=KEY, webhook_url=url)
        assert (again.status, again.body["job_id"]) == (202, job)
    events = _events(bench, TOPICS.transcripts, count=2)
    assert [event["webhook_url"] for event in events] == [URL, OTHER_URL]
    assert events[0]["event_id"] != events[1]["event_id"]
    assert client.get(f"/v1/jobs/{job}").body["phase"] == "completed"
    references = _events(bench, TOPICS.references, count=2)
    assert [reference["webhook_url"] for reference in references] == [URL, OTHER_URL]


@pytest.mark.parametrize(
    "url", ["http://hooks.example/", "https://127.0.0.1/", "https://user:pw@hooks.example/", "hooks.example"]
)
def test_a_url_to_which_nothing_would_be_sent_is_refused_at_once(url: str, bench: GatewayBench) -> None:
    """In a form as in JSON, with what to do; nothing is stored and no reference published."""
    client = JobClient(bench.gateway().port)
    form = client.submit(wav_bytes(1), webhook_url=url)
    assert form.refusal == (422, "webhook_not_allowed")
    named = client.submit_json({"uri": f"s3://{bench.settings.s3.bucket}/a.wav", "webhook_url": url})
    assert named.refusal[0] in {400, 422}
    assert "webhook" in named.body["error"]["message"]


def test_a_keys_url_is_that_of_jobs_that_name_none(bench: GatewayBench) -> None:
    """The request's own goes before it."""
    key = ApiKey(
        id="web",
        name="web",
        tenant="acme",
        rights=tuple(Right),
        defaults=KeyDefaults(webhook_url=URL),
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    secret = ApiKeys(bench.settings.s3, client=bench.client).issue(key)
    client = KeyedClient(bench.gateway(keys="required").port, secret)
    client.submit(wav_bytes(1))
    client.submit(wav_bytes(2), webhook_url=OTHER_URL)
    references = _events(bench, TOPICS.references, count=2)
    assert {reference["webhook_url"] for reference in references} == {URL, OTHER_URL}
