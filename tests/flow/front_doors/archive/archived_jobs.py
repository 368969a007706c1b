"""Jobs of a tenant, until the archive has them."""

from tests.flow.front_doors.access.tenants import Tenant
from tests.support.waiting import eventually

ARCHIVE_SECONDS = 30.0


def listed(client: Tenant, query: str = "") -> list[str]:
    """Return the ids of the jobs that a tenant's list has."""
    answer = client.request("GET", f"/v1/jobs{query}")
    assert answer.status == 200, answer
    return [job["job_id"] for job in answer.body["jobs"]]


def found(client: Tenant, words: str) -> list[str]:
    """Return the ids of the recordings that a tenant's search finds."""
    answer = client.request("GET", f"/v1/search?q={words}")
    assert answer.status == 200, answer
    return [result["job"]["job_id"] for result in answer.body["results"]]


def archived_job(client: Tenant, key: str) -> str:
    """Transcribe a recording of one second, and wait until the archive has the finished job."""
    job = client.finished_job(key)
    eventually(
        lambda: job in listed(client, "?phase=completed") and job in found(client, "second"),
        timeout_seconds=ARCHIVE_SECONDS,
        what=f"{job} in the archive",
    )
    return job
