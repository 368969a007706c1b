"""Limits of keys on real sockets: every ending frees its slot, and gateways share what counts for all."""

import pytest

from producers.api_keys.key import KeyDefaults, KeyLimits
from producers.api_keys.store import ApiKeys
from producers.gateway.access import key_ring, middleware, usage_book
from producers.gateway.access.gate import Gate
from producers.results import ResultStore
from schemas.clock import SystemClock
from schemas.events import AudioReference
from tests.flow.front_doors.access.tenants import Tenant, tenant
from tests.flow.gateway import GatewayBench, Response
from tests.sound.wav_listener import wav_bytes
from tests.support.waiting import eventually


def gate_of(client: Tenant) -> Gate:
    """Return the gate of the client's gateway."""
    gate: Gate = client.gateway.server.config.app.state.services.gate  # type: ignore[union-attr]
    return gate


def in_progress(client: Tenant) -> tuple[int, int]:
    """Return how many requests and streams the client's key has in progress."""
    return gate_of(client).limits.in_progress(client.key_id)


def others_bytes(client: Tenant) -> int:
    """Return what the client's gateway knows that the others have counted for its key."""
    return sum(day.others_bytes or 0 for day in gate_of(client).usage._days.values())


def reference_of(bench: GatewayBench, answer: Response) -> AudioReference | None:
    """Return the request of a finished job."""
    job = ResultStore(bench.settings.s3, client=bench.client).find_job(answer.body["job_id"])
    return job.reference if job else None


def test_a_client_that_leaves_frees_its_slot(bench: GatewayBench) -> None:
    """Its job is cancelled as without keys, and the next request is let in."""
    gateway = bench.gateway(keys="required")
    client = tenant(bench, gateway, "leaver", limits=KeyLimits(concurrent_requests=1))
    bench.engine.gate.clear()
    try:
        connection = gateway.begin("/transcribe", wav_bytes(5), headers=client.credential)
        eventually(lambda: in_progress(client) == (1, 0), timeout_seconds=20, what="the first request")
        refused = client.post("/transcribe", wav_bytes(1))
        assert (refused.status, refused.reason) == (429, "too_many_requests")
        connection.close()
        eventually(lambda: in_progress(client) == (0, 0), timeout_seconds=20, what="a free slot")
    finally:
        bench.engine.gate.set()
    assert client.post("/transcribe", wav_bytes(1)).status == 200
    assert client.post("/transcribe", b"").status == 422
    assert client.request("GET", "/v1/jobs/nothing").status in (404, 422)
    assert in_progress(client) == (0, 0)


def test_a_stream_holds_a_slot_of_its_own_until_it_ends(
    bench: GatewayBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests go on beside it; a client that leaves frees it, and so does the revocation of its key."""
    monkeypatch.setattr(middleware, "RECHECK_SECONDS", 0.05)
    monkeypatch.setattr(key_ring, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(key_ring, "CACHE_SECONDS", 0.1)
    gateway = bench.gateway(keys="required")
    limits = KeyLimits(concurrent_requests=1, concurrent_streams=1)
    client = tenant(bench, gateway, "watcher", limits=limits)
    with client.opened("GET", "/v1/events") as stream:
        assert stream.status == 200
        assert in_progress(client) == (0, 1)
        refused = client.request("GET", "/v1/events")
        assert (refused.status, refused.reason) == (429, "too_many_streams")
        assert client.post("/transcribe", wav_bytes(1)).status == 200
    eventually(lambda: in_progress(client) == (0, 0), timeout_seconds=20, what="the end of the stream")
    with client.opened("GET", "/v1/events") as stream:
        ApiKeys(bench.settings.s3, client=bench.client).revoke(client.key_id, now=SystemClock().now())
        while stream.read1():
            pass
    eventually(lambda: in_progress(client) == (0, 0), timeout_seconds=20, what="the end of the stream")
    assert client.request("GET", "/v1/models").status == 401


def test_two_gateways_share_keys_and_bytes(bench: GatewayBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key made anywhere works at both, its bytes count at both, and at a third after both have stopped."""
    monkeypatch.setattr(usage_book, "EXCHANGE_SECONDS", 0.1)
    one, two = bench.gateway(keys="required"), bench.gateway(keys="required")
    audio = wav_bytes(2)
    limits = KeyLimits(bytes_per_day=int(len(audio) * 2.5))
    at_one = tenant(bench, one, "shared", limits=limits)
    at_two = Tenant(at_one.name, at_one.secret, at_one.key_id, two)
    assert [each.post("/transcribe", audio).status for each in (at_one, at_two)] == [200, 200]

    eventually(lambda: others_bytes(at_two) > len(audio), timeout_seconds=20, what="the exchange")
    refused = at_two.post("/transcribe", audio)
    assert (refused.status, refused.reason) == (429, "bytes_per_day_exceeded")
    for gateway in (one, two):
        gateway.stop()
        gateway.thread.join(20)
    three = bench.gateway(keys="required")
    answer = Tenant(at_one.name, at_one.secret, at_one.key_id, three).post("/transcribe", audio)
    assert (answer.status, answer.reason) == (429, "bytes_per_day_exceeded")
    assert int(answer.headers["retry-after"]) > 0


def test_a_key_gives_its_options_lane_and_tenant_to_the_job(bench: GatewayBench) -> None:
    """What the request gives itself is used instead."""
    gateway = bench.gateway(keys="required")
    defaults = KeyDefaults(transcribe={"hotwords": "Kascribe", "language": "ko"})
    client = tenant(bench, gateway, "options", defaults=defaults, lane="bulk")
    korean = client.post("/transcribe", wav_bytes(1))
    english = client.post("/transcribe", wav_bytes(1), language="en")
    queued = client.post("/v1/jobs", wav_bytes(2), lane="interactive")
    assert queued.status == 202
    for answer, language in ((korean, "ko"), (english, "en"), (queued, "ko")):
        reference = eventually(lambda: reference_of(bench, answer), timeout_seconds=20)  # noqa: B023
        assert (reference.lane, reference.tenant) == ("bulk", "options")
        assert (reference.options.language, reference.options.hotwords) == (language, "Kascribe")
