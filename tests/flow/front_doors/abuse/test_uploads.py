"""Uploads that stall, come slowly, or are too many: refused, and their part of the spool is free again."""

import asyncio
import http.client
import json
import socket
from functools import partial
from typing import Any

import pytest

from producers.gateway.connections import bodies
from producers.gateway.connections.guard import Guard
from tests.flow.front_doors.abuse.attackers import CLIP_HEAD, Attack, slow_body, under_attack
from tests.flow.gateway import Gateway, GatewayBench
from tests.sound.wav_listener import wav_bytes
from tests.support.waiting import eventually

HEALTH_SECONDS = 2.0
MEGABYTE = 1_000_000


def guard_of(gateway: Gateway) -> Guard:
    """Return the gateway's guards."""
    guard: Guard = gateway.server.config.app.state.guard  # type: ignore[union-attr]
    return guard


def begun(gateway: Gateway, count: int, declared_bytes: int) -> socket.socket:
    """Send the first bytes of an upload."""
    head = f"POST /transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(CLIP_HEAD) + declared_bytes}\r\n"
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
    connection.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + CLIP_HEAD)
    connection.sendall(bytes(count))
    return connection


def answer_on(connection: socket.socket) -> tuple[int, str, Any]:
    """Return the status and the reason that were answered, and when to come again."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, json.loads(answer.read())["error"]["reason"], answer.getheader("Retry-After")


def test_a_stalled_upload_releases_its_part_of_the_spool(
    bench: GatewayBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """408, and the room is there for others."""
    monkeypatch.setattr(bodies, "STALL_SECONDS", 1.0)
    monkeypatch.setattr("producers.gateway.forms.body.DISCARD_SECONDS", 0.1)
    gateway = bench.gateway()
    spool = guard_of(gateway).spool
    with begun(gateway, MEGABYTE, 2 * MEGABYTE) as connection:
        eventually(lambda: spool.used_bytes >= MEGABYTE, timeout_seconds=10, what="a megabyte in the spool")
        assert answer_on(connection)[:2] == (408, "upload_stalled")
    eventually(lambda: (spool.used_bytes, spool.uploads) == (0, 0), timeout_seconds=10, what="an empty spool")


def test_a_byte_now_and_then_does_not_keep_an_upload_alive(
    bench: GatewayBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pace counts, not only the silence."""
    monkeypatch.setattr(bodies, "PACE_SECONDS", 1.0)
    monkeypatch.setattr("producers.gateway.forms.body.DISCARD_SECONDS", 0.1)
    gateway = bench.gateway()
    attackers = [
        partial(slow_body, gateway.port, first_bytes=0, interval_seconds=0.2, declared_bytes=MEGABYTE)
    ] * 5
    attack, probes = asyncio.run(under_attack(gateway.port, attackers, seconds=3))
    assert attack.answers == [408] * 5
    assert probes.worst < HEALTH_SECONDS
    assert guard_of(gateway).spool.uploads == 0


def test_uploads_that_stall_cannot_fill_the_spool(bench: GatewayBench) -> None:
    """503 with when to come again, for what does not fit; health and small requests go on."""
    gateway = bench.gateway(spool_limit_bytes=3 * MEGABYTE)
    spool = guard_of(gateway).spool
    with begun(gateway, MEGABYTE, 2 * MEGABYTE), begun(gateway, MEGABYTE, 2 * MEGABYTE):
        eventually(lambda: spool.used_bytes >= 2 * MEGABYTE, timeout_seconds=10, what="two megabytes")
        with begun(gateway, 0, 2 * MEGABYTE) as third:
            third.sendall(bytes(2 * MEGABYTE))
            status, reason, retry_after = answer_on(third)
        assert (status, reason) == (503, "spool_full")
        assert retry_after
        assert spool.used_bytes <= 3 * MEGABYTE
        assert gateway.request("GET", "/health").body["status"] == "ok"


def test_uploads_have_a_number(bench: GatewayBench) -> None:
    """One more is refused, and taken once another has ended."""
    gateway = bench.gateway(concurrent_upload_limit=2)
    spool = guard_of(gateway).spool
    with begun(gateway, 10, 1_000), begun(gateway, 10, 1_000):
        eventually(lambda: spool.uploads == 2, timeout_seconds=10, what="two uploads")
        refused = gateway.post("/transcribe", wav_bytes(1))
        assert (refused.status, refused.reason) == (503, "crowded")
    eventually(lambda: spool.uploads == 0, timeout_seconds=10, what="no upload")
    bench.start_transcriber()
    assert gateway.post("/transcribe", wav_bytes(1)).status == 200


def test_requests_have_a_number_and_probes_their_own(bench: GatewayBench) -> None:
    """503 beyond it; health is answered all the same."""
    gateway = bench.gateway(request_limit=2)
    with begun(gateway, 10, 1_000), begun(gateway, 10, 1_000):
        eventually(lambda: guard_of(gateway).spool.uploads == 2, timeout_seconds=10, what="two uploads")
        refused = gateway.request("GET", "/nothing")
        assert (refused.status, refused.reason) == (503, "crowded")
        assert refused.headers["retry-after"]
        assert gateway.request("GET", "/health").status == 200


def test_an_address_with_all_its_connections_in_use_is_refused_except_for_health(bench: GatewayBench) -> None:
    """Some places are kept for probes, whatever the limit."""
    gateway = bench.gateway(client_connection_limit=2)
    with begun(gateway, 10, 1_000), begun(gateway, 10, 1_000):
        eventually(lambda: guard_of(gateway).spool.uploads == 2, timeout_seconds=10, what="two uploads")
        refused = gateway.request("GET", "/nothing")
        assert (refused.status, refused.reason) == (503, "crowded")
        assert gateway.request("GET", "/health").status == 200


def test_a_body_without_a_file_is_not_read_into_memory_without_end(bench: GatewayBench) -> None:
    """413 for JSON beyond a megabyte."""
    gateway = bench.gateway()
    body = json.dumps({"uri": "s3://" + "a" * 2 * MEGABYTE}).encode()
    refused = gateway.request("POST", "/v1/jobs", body, {"Content-Type": "application/json"})
    assert (refused.status, refused.reason) == (413, "body_too_large")


def test_the_attackers_themselves_attack() -> None:
    """A slow client without a gateway notes no answer: the tests above would else prove nothing."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        attack = Attack()
        asyncio.run(
            slow_body(nobody.getsockname()[1], attack, first_bytes=0, interval_seconds=0.1, declared_bytes=10)
        )
    assert (attack.refused, attack.answers) == (1, [])
