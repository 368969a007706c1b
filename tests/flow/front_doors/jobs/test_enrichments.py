"""Enrichments of jobs: with the job, later, again, and all that are finished."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from schemas.identity import enrich_digest
from schemas.options import EnrichOptions
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.flow.front_doors.jobs.job_client import JobClient
from tests.flow.gateway import TOPICS, GatewayBench, multipart
from tests.flow.reading import records_on
from tests.sound.wav_listener import wav_bytes
from tests.support.waiting import eventually

TITLE: Final = EnrichOptions(profiles=("title",))


@pytest.fixture
def double() -> Iterator[VllmDouble]:
    """Start a language model server."""
    with running(VllmDouble(context_tokens=4_096)) as server:
        yield server


@pytest.fixture
def client(bench: GatewayBench, double: VllmDouble) -> JobClient:
    """Start both consumers and a replica."""
    bench.start_transcriber()
    bench.start_enricher(double.base_url)
    return JobClient(bench.gateway().port)


def finished(client: JobClient, job: str, *, count: int) -> list[dict[str, Any]]:
    """Read the enrichments, once so many are finished."""

    def found() -> list[dict[str, Any]] | None:
        enrichments: list[dict[str, Any]] = client.get(f"/v1/jobs/{job}/enrichments").body["enrichments"]
        return enrichments if len(enrichments) == count else None

    enrichments = eventually(found, timeout_seconds=30, what=f"{count} enrichments")
    assert enrichments is not None
    return enrichments


def test_a_job_is_enriched_as_it_requests(client: JobClient) -> None:
    """With the form's fields of /transcribe-and-process, or under enrich in JSON; the results are whole."""
    job = client.submit(wav_bytes(2), profiles="title", instruction="Summarize.").body["job_id"]
    (enrichment,) = finished(client, job, count=1)
    options = EnrichOptions(profiles=("title",), instruction="Summarize.")
    assert enrichment["enrichment_id"] == enrich_digest(options)
    assert enrichment["options"] == {"profiles": ["title"], "instruction": "Summarize.", "language": None}
    results = {result["profile"]: result for result in enrichment["results"]}
    assert results.keys() == {"title", "instruction"}
    assert results["instruction"]["output"] == "plain words about what was said"
    assert enrichment["usage"]["requests"] == 2


def test_a_finished_job_is_enriched_later_and_each_request_has_one_result(
    bench: GatewayBench, client: JobClient
) -> None:
    """As JSON or as a form; equal options have the same id and one result, however they are sent."""
    job = client.submit(wav_bytes(2)).body["job_id"]
    client.transcript(job)
    path = f"/v1/jobs/{job}/enrich"
    first = client.post_json(path, {"profiles": ["title"]})
    assert (first.status, first.headers["location"]) == (202, f"/v1/jobs/{job}/enrichments")
    assert (first.body["enrichment_id"], first.body["is_finished"]) == (enrich_digest(TITLE), False)
    finished(client, job, count=1)
    form, content_type = multipart(None, profiles="title")
    urlencoded = urlencode({"profiles": "title"}).encode()
    for body, kind in ((form, content_type), (urlencoded, "application/x-www-form-urlencoded")):
        again = client.request("POST", path, body, {"Content-Type": kind})
        assert (again.status, again.body["enrichment_id"]) == (202, enrich_digest(TITLE))
        assert again.body["is_finished"] is True
    other = client.post_json(path, {"instruction": "Translate.", "answer_language": "ko"})
    assert other.status == 202
    ids = [enrichment["enrichment_id"] for enrichment in finished(client, job, count=2)]
    assert ids == [first.body["enrichment_id"], other.body["enrichment_id"]]
    assert (
        len(records_on(bench.settings.kafka.bootstrap_servers, TOPICS.enrich_requests, count=2, partitions=4)) == 2
    )


def test_bad_requests_to_enrich_are_refused(client: JobClient) -> None:
    """Each says what to do; none is published."""
    job = client.submit(wav_bytes(1)).body["job_id"]
    client.transcript(job)
    path = f"/v1/jobs/{job}/enrich"
    for body in ({}, {"profile": ["title"]}, {"profiles": "title"}, {"instruction": 7}, {"answer_language": "ko"}):
        assert client.post_json(path, body).refusal == (400, "invalid_options"), body
    assert client.post_json(path, [1]).refusal == (400, "invalid_json")
    assert client.request("POST", path, b"x", {"Content-Type": "text/plain"}).refusal == (
        415,
        "unsupported_media_type",
    )
    assert client.get(f"/v1/jobs/{job}/enrichments").body["enrichments"] == []


def test_a_job_that_is_not_transcribed_cannot_be_enriched_yet(bench: GatewayBench, client: JobClient) -> None:
    """409 with the phase, as for its transcript; there are no enrichments of it."""
    bench.engine.gate.clear()
    job = client.submit(wav_bytes(1)).body["job_id"]
    refused = client.post_json(f"/v1/jobs/{job}/enrich", {"profiles": ["title"]})
    assert refused.refusal == (409, "not_finished")
    assert client.get(f"/v1/jobs/{job}/enrichments").body["enrichments"] == []


def test_where_no_enricher_runs_enrichment_is_refused(bench: GatewayBench) -> None:
    """503 for a job that requests it, and for a request later; the job itself is done without."""
    bench.start_transcriber()
    client = JobClient(bench.gateway(enrichment=False).port)
    assert client.submit(wav_bytes(1), profiles="title").refusal == (503, "enrichment_off")
    job = client.submit(wav_bytes(1)).body["job_id"]
    client.transcript(job)
    refused = client.post_json(f"/v1/jobs/{job}/enrich", {"profiles": ["title"]})
    assert refused.refusal == (503, "enrichment_off")


def test_a_deleted_job_takes_its_enrichments_along(client: JobClient) -> None:
    """They are counted; the same request makes them anew."""
    job = client.submit(wav_bytes(1), key="k", profiles="title").body["job_id"]
    finished(client, job, count=1)
    deleted = client.delete(job)
    assert (deleted.status, deleted.body["other_objects"]) == (200, 1)
    assert client.get(f"/v1/jobs/{job}/enrichments").refusal == (404, "job_not_found")
    assert client.submit(wav_bytes(1), key="k", profiles="title").status == 202
    finished(client, job, count=1)
