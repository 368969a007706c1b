"""Keys decide which jobs and events a client sees."""

from datetime import UTC, datetime

from producers.api_keys.key import ApiKey
from producers.api_keys.rights import Right
from producers.api_keys.store import ApiKeys
from schemas.identity import job_id
from tests.flow.events.event_client import reading, submit
from tests.flow.gateway import GatewayBench
from tests.support.waiting import eventually


def authorization(bench: GatewayBench, tenant: str, *rights: Right) -> dict[str, str]:
    """Issue a key; return the header that sends it."""
    key = ApiKey(
        id=f"{tenant}-{len(rights)}",
        name=tenant,
        tenant=tenant,
        rights=rights or tuple(Right),
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    secret = ApiKeys(bench.settings.s3, client=bench.client).issue(key)
    return {"Authorization": f"Bearer {secret}"}


def test_a_key_sees_the_events_of_its_own_tenant_only(bench: GatewayBench) -> None:
    """Live and from the topic, at two gateways; a cursor of one tenant shows nothing of it to another."""
    ours, theirs = (authorization(bench, tenant) for tenant in ("ours", "theirs"))
    gateway = bench.gateway(keys="required")
    with (
        reading(gateway, "/v1/events", **ours) as our_stream,
        reading(gateway, "/v1/events", **theirs) as their_stream,
    ):
        our_stream.until_open()
        their_stream.until_open()
        beginning = our_stream.last_id
        submit(bench, "one", seconds=1, tenant="ours")
        submit(bench, "two", seconds=2, tenant="theirs")
        our_stream.until("completed")
        their_stream.until("completed")
        assert {body["job_id"] for body in our_stream.bodies} == {job_id("one")}
        assert {body["job_id"] for body in their_stream.bodies} == {job_id("two")}
    with reading(bench.gateway(keys="required"), "/v1/events", after=beginning, **theirs) as again:
        again.until("completed")
        assert again.received == their_stream.received


def test_a_job_of_another_tenant_is_none_for_a_key(bench: GatewayBench) -> None:
    """The same answer as for a job that never was, whether it runs or has ended, with any cursor."""
    ours, theirs = (authorization(bench, tenant) for tenant in ("ours", "theirs"))
    gateway = bench.gateway(keys="required")
    bench.engine.gate.clear()
    submit(bench, "one", seconds=1, tenant="ours")
    path = f"/v1/jobs/{job_id('one')}"
    eventually(lambda: gateway.request("GET", path, headers=ours).status == 200, timeout_seconds=20)
    for is_running in (True, False):
        for wanted in (path, f"{path}/events", f"{path}/events?last_event_id=0-0"):
            unknown = gateway.request("GET", wanted.replace(job_id("one"), "0" * 32), headers=theirs)
            answer = gateway.request("GET", wanted, headers=theirs)
            assert (answer.status, answer.body) == (unknown.status, unknown.body) == (404, answer.body)
        if is_running:
            bench.engine.gate.set()
            with reading(gateway, f"{path}/events", **ours) as reader:
                reader.until_end()


def test_following_needs_the_right_to_read(bench: GatewayBench) -> None:
    """403 for a key that may only submit, 401 without one."""
    gateway = bench.gateway(keys="required")
    writer = authorization(bench, "ours", Right.TRANSCRIBE)
    for path in ("/v1/events", f"/v1/jobs/{'0' * 32}", f"/v1/jobs/{'0' * 32}/events"):
        assert gateway.request("GET", path, headers=writer).reason == "right_missing"
        assert gateway.request("GET", path).status == 401
