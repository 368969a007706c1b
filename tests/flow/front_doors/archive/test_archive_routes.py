"""Jobs are listed, found and summed up at every gateway, and gone from all of them once deleted."""

from pathlib import Path

from kascribe.wiring.archive import opened_archive
from producers.archive.filters import JobFilter
from producers.archive.reads import ArchiveReads
from schemas.settings import ArchiveSettings
from tests.flow.front_doors.access.tenants import Tenant, tenant
from tests.flow.front_doors.archive.archived_jobs import ARCHIVE_SECONDS, archived_job, found, listed
from tests.flow.front_doors.archive.archiving import with_archive
from tests.flow.front_doors.jobs.job_client import JobClient
from tests.flow.gateway import Gateway, GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.sound.wav_listener import wav_bytes
from tests.support.object_store import ObjectStore
from tests.support.waiting import eventually

QUESTIONS = ("/v1/jobs", "/v1/search?q=second", "/v1/usage?by=tenant", "/v1/usage?by=day", "/v1/usage?by=model")


def test_a_finished_job_is_listed_found_and_opened(bench: GatewayBench, gateway: Gateway) -> None:
    """With its text, its hits with times, and a state that can be read by its id."""
    client = tenant(bench, gateway, "reader")
    job = archived_job(client, "call-1")
    (summary,) = client.request("GET", "/v1/jobs").body["jobs"]
    assert (summary["tenant"], summary["phase"], summary["text_preview"]) == ("reader", "completed", "second 1.")
    (result,) = client.request("GET", "/v1/search?q=SECOND").body["results"]
    (hit,) = result["hits"]
    assert (hit["text"], hit["highlights"], hit["segment"]) == ("second 1.", [[0, 6]], 0)
    assert hit["url"] == f"/#/jobs/{job}?t={hit['start']:g}"
    assert client.request("GET", f"/v1/jobs/{job}").body["text"] == "second 1."
    assert client.request("GET", f"/v1/search?q=second&job={job}").body["results"] == [result]
    (row,) = client.request("GET", "/v1/usage?by=tenant").body["rows"]
    assert (row["key"], row["jobs"], row["failed"], row["audio_seconds"]) == ("reader", 1, 0, 1.0)


def test_two_gateways_on_one_archive_agree(bench: GatewayBench, gateway: Gateway, beside: Gateway) -> None:
    """Their answers are equal, and a cursor of one continues at the other."""
    here = tenant(bench, gateway, "twice")
    there = Tenant(here.name, here.secret, here.key_id, beside)
    jobs = [archived_job(here, f"call-{number}") for number in range(3)]
    for question in QUESTIONS:
        assert here.request("GET", question).body == there.request("GET", question).body
    for path in ("/v1/jobs?limit=2", "/v1/search?q=second&limit=2"):
        first = here.request("GET", path).body
        rest = there.request("GET", f"{path}&cursor={first['next']}").body
        pages = [*first.get("jobs", ()), *rest.get("jobs", ())] or [
            result["job"] for result in [*first["results"], *rest["results"]]
        ]
        assert [job["job_id"] for job in pages] == jobs[::-1]
        assert rest["next"] is None


def test_a_deleted_job_is_gone_everywhere(bench: GatewayBench, gateway: Gateway, beside: Gateway) -> None:
    """At once where it was deleted, and soon at every other gateway and in the database."""
    here = tenant(bench, gateway, "forgetful")
    there = Tenant(here.name, here.secret, here.key_id, beside)
    kept, job = archived_job(here, "kept"), archived_job(here, "gone")
    deleted = here.request("DELETE", f"/v1/jobs/{job}")
    assert (deleted.status, deleted.body["source"]) == (200, "kept")
    assert listed(here) == found(here, "second") == [kept]
    eventually(lambda: listed(there) == found(there, "second") == [kept], timeout_seconds=ARCHIVE_SECONDS)
    with opened_archive(bench.settings.archive) as engine:
        reads, asked = ArchiveReads(engine), JobFilter(tenant="forgetful")
        rows = eventually(
            lambda: [page for page in [reads.jobs(asked, limit=5)] if len(page.jobs) == 1],
            timeout_seconds=ARCHIVE_SECONDS,
            what="the archive without the job",
        )
    assert rows[0].jobs[0].job_id == kept
    again = archived_job(here, "gone")
    assert again == job
    assert set(listed(here)) == {kept, job}


def test_the_source_of_a_job_is_deleted_with_it_on_request(bench: GatewayBench, store: ObjectStore) -> None:
    """An object of the deployment's bucket; the answer says what became of it."""
    client = JobClient(bench.gateway().port)
    s3 = bench.settings.s3
    store.put(s3, "calls/a.wav", wav_bytes(2))
    job = client.submit_json({"uri": f"s3://{s3.bucket}/calls/a.wav"}).body["job_id"]
    assert client.transcript(job).status == 200
    deleted = client.request("DELETE", f"/v1/jobs/{job}?source=true")
    assert (deleted.status, deleted.body["source"], deleted.body["upload"]) == (200, "deleted", False)
    assert "calls/a.wav" not in store.keys(s3.bucket)


def test_a_job_whose_events_are_gone_is_found_and_opened(bench: GatewayBench, gateway: Gateway) -> None:
    """Where the topics are empty, the archive finds the job and the bucket has it."""
    client = tenant(bench, gateway, "old")
    job = archived_job(client, "call-1")
    with (
        MockCluster() as broker,
        gateway_bench(broker.bootstrap_servers, bench.settings.s3, bench.client) as later,
    ):
        later.settings = later.settings.model_copy(update={"archive": bench.settings.archive})
        there = Tenant(client.name, client.secret, client.key_id, later.gateway(keys="required"))
        assert found(there, "second") == [job]
        state = there.request("GET", f"/v1/jobs/{job}")
        assert (state.status, state.body["phase"], state.body["text"]) == (200, "completed", "second 1.")


def test_parameters_are_checked(open_gateway: Gateway) -> None:
    """An unknown one, a value that is none, and a cursor of another list are refused."""
    for path in (
        "/v1/jobs?phases=failed",
        "/v1/jobs?phase=ended",
        "/v1/jobs?limit=0",
        "/v1/jobs?limit=101",
        "/v1/jobs?from=yesterday",
        "/v1/search",
        "/v1/search?q=",
        "/v1/usage?by=hour",
    ):
        answer = open_gateway.request("GET", path)
        assert (answer.status, answer.reason) == (422, "invalid_request"), path
    for path in (f"/v1/jobs?cursor={'A' * 32}", f"/v1/search?q=a&cursor={'A' * 32}"):
        answer = open_gateway.request("GET", path)
        assert (answer.status, answer.reason) == (400, "cursor_invalid"), path


def test_without_an_archive_its_routes_say_what_to_do(bench: GatewayBench) -> None:
    """503, and the setting by its name."""
    gateway = bench.gateway(settings=bench.settings.model_copy(update={"archive": ArchiveSettings()}))
    for path in QUESTIONS:
        answer = gateway.request("GET", path)
        assert (answer.status, answer.reason) == (503, "archive_off"), path
        assert "KASCRIBE_ARCHIVE_URL" in answer.body["error"]["message"]
        assert "retry-after" in answer.headers


def test_a_gateway_without_its_database_serves_everything_else(bench: GatewayBench, tmp_path: Path) -> None:
    """Its own routes are 503, health names it, and the gateway stays ready."""
    gateway = bench.gateway(settings=with_archive(bench.settings, tmp_path), enrichment=False)
    for path in QUESTIONS:
        answer = gateway.request("GET", path)
        assert (answer.status, answer.reason) == (503, "dependency_down"), path
    assert gateway.post("/transcribe", wav_bytes(1)).status == 200
    ready = gateway.request("GET", "/health/ready")
    assert (ready.status, ready.body["ok"]) == (200, True)
    assert ready.body["facts"]["dependencies"] == {"kafka": True, "bucket": True, "archive": False}
    health = gateway.request("GET", "/health").body
    assert (health["status"], health["dependencies"]["archive"]) == ("degraded", False)
