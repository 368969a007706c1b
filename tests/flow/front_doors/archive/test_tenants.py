"""Nothing of one tenant's shows to another on any route of the archive."""

import json

from producers.api_keys.rights import Right
from tests.flow.front_doors.access.tenants import Tenant, tenant
from tests.flow.front_doors.archive.archived_jobs import archived_job, listed
from tests.flow.gateway import Gateway, GatewayBench

LISTS = ("/v1/jobs?", "/v1/jobs?phase=completed&", "/v1/jobs?name=audio&", "/v1/search?q=second&")
SUMS = ("/v1/usage?by=tenant&", "/v1/usage?by=day&", "/v1/usage?by=model&")


def test_another_tenant_sees_no_row_no_hit_no_count_and_no_cursor(bench: GatewayBench, gateway: Gateway) -> None:
    """Answers are those of an empty archive, and errors those for what never was, to the letter."""
    owner, other = tenant(bench, gateway, "owner"), tenant(bench, gateway, "other")
    jobs = [archived_job(owner, f"call-{number}") for number in range(2)]
    empty = tenant(bench, gateway, "empty")
    for path in (*LISTS, *SUMS):
        seen = other.request("GET", path.rstrip("?&"))
        assert seen.status == 200
        assert seen.body == empty.request("GET", path.rstrip("?&")).body
        assert not set(jobs) & set(json.dumps(seen.body).split('"')), path
    for job in (jobs[0], "f" * 32):
        assert other.request("GET", f"/v1/search?q=second&job={job}").body == {
            "success": True,
            "query": "second",
            "results": [],
            "next": None,
        }
    for path in LISTS:
        cursor = owner.request("GET", f"{path}limit=1").body["next"]
        taken = other.request("GET", f"{path}limit=1&cursor={cursor}")
        made_up = other.request("GET", f"{path}limit=1&cursor={'A' * 32}")
        assert (taken.status, taken.reason) == (400, "cursor_invalid")
        assert taken.body == made_up.body
    own = archived_job(other, "own")
    assert listed(other) == [own]
    assert set(listed(owner)) == set(jobs)


def test_a_key_names_no_other_tenant(bench: GatewayBench, gateway: Gateway) -> None:
    """Its own may be named; another is refused before anything is read, whether it exists or not."""
    owner = tenant(bench, gateway, "named")
    for path in (*LISTS, *SUMS):
        assert owner.request("GET", f"{path}tenant=named").status == 200
        answers = [owner.request("GET", f"{path}tenant={name}") for name in ("reader", "never-was")]
        assert {(answer.status, answer.reason) for answer in answers} == {(403, "tenant_mismatch")}
        assert answers[0].body == answers[1].body


def test_the_right_to_read_is_needed(bench: GatewayBench, gateway: Gateway) -> None:
    """403 with any other right, and 401 without a key, whatever the parameters."""
    writer = tenant(bench, gateway, "writer", rights=(Right.TRANSCRIBE, Right.DELETE, Right.ENRICH))
    for path in ("/v1/jobs", "/v1/search", "/v1/search?q=second", "/v1/usage", "/v1/jobs?limit=0"):
        answer = writer.request("GET", path)
        assert (answer.status, answer.reason) == (403, "right_missing"), path
        assert gateway.request("GET", path).status == 401, path


def test_without_keys_all_tenants_are_listed_unless_one_is_named(
    bench: GatewayBench, gateway: Gateway, open_gateway: Gateway
) -> None:
    """A gateway without keys shows everything to everyone, as it says."""
    job = archived_job(tenant(bench, gateway, "somebody"), "call-1")
    nobody = Tenant("nobody", "", "", open_gateway)
    assert job in listed(nobody)
    assert listed(nobody, "?tenant=somebody") == [job]
    assert listed(nobody, "?tenant=never-was") == []
    rows = nobody.request("GET", "/v1/usage?by=tenant").body["rows"]
    assert "somebody" in [row["key"] for row in rows]
