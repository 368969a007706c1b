"""Connections that are slow, many, or no HTTP: closed within their limits, while others are served."""

import asyncio
import http.client
import socket
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from producers.gateway.connections import protocol
from tests.flow.front_doors.abuse.attackers import connect_and_hold, garbage, slow_headers, under_attack
from tests.flow.front_doors.abuse.gateway_process import gateway_process
from tests.flow.gateway import Gateway, GatewayBench
from tests.support.waiting import eventually

HEALTH_SECONDS = 2.0
"""Twice the promise: attackers and prober share two cores with other tests. `make chaos-gateway` measures it."""

PAUSE_SECONDS = 0.5
FEW_DESCRIPTORS = 256


def said(gateway: Gateway, sent: bytes) -> tuple[int, bytes]:
    """Send bytes on a connection of their own and return the status and body of the answer."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()


def test_slow_headers_are_cut_off_and_health_answers_throughout(bench: GatewayBench, tmp_path: Path) -> None:
    """More such sockets than there are places; the log has a line or two about them, not one for each."""
    with gateway_process(bench.settings, tmp_path / "log", descriptors=FEW_DESCRIPTORS) as gateway:
        lines = gateway.log_lines
        attacker = partial(slow_headers, gateway.client.port, interval_seconds=1.0, pause_seconds=PAUSE_SECONDS)
        attack, probes = asyncio.run(under_attack(gateway.client.port, [attacker] * 200, seconds=4))
        assert probes.failures == []
        assert probes.worst < HEALTH_SECONDS
        assert attack.closed > 0
        assert gateway.log_lines - lines <= 3
        assert gateway.descriptors <= FEW_DESCRIPTORS


def test_headers_have_a_time_limit(bench: GatewayBench) -> None:
    """408 for a client that never sends all of them, whatever it sends in the meantime."""
    gateway = bench.gateway(header_timeout_seconds=0.5)
    status, body = said(gateway, b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
    assert status == 408
    assert b"headers_too_slow" in body


def test_a_connection_that_is_kept_alive_has_a_time_limit_too(bench: GatewayBench) -> None:
    """Its next request's headers have to come in time; it is closed without an answer to nothing."""
    gateway = bench.gateway(header_timeout_seconds=0.5)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = http.client.HTTPResponse(connection)
        first.begin()
        assert (first.status, bool(first.read())) == (200, True)
        connection.sendall(b"GET /health HTTP/1.1\r\n")
        assert connection.recv(1) == b""


def test_long_headers_are_refused(bench: GatewayBench) -> None:
    """431, whether they come at once or never end."""
    gateway = bench.gateway(header_limit_bytes=2_000)
    start = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 3_000
    for sent in (start + b"\r\n\r\n", start):
        status, body = said(gateway, sent)
        assert (status, b"headers_too_large" in body) == (431, True)


def test_what_is_no_http_is_answered_and_logged_once(bench: GatewayBench) -> None:
    """A scanner of ports sends thousands of such lines a minute."""
    with capture_logs() as lines:
        gateway = bench.gateway()
        for _ in range(20):
            status, body = said(gateway, b"\x16\x03\x01 hello\r\n\r\n")
            assert (status, b"invalid_http" in body) == (400, True)
        upgrade = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        assert said(gateway, upgrade)[0] == 200
    refused = [line["kind"] for line in lines if line["event"] == "refused because of a limit"]
    assert refused == ["invalid_http", "unsupported_upgrade"]


def test_a_body_that_is_no_http_ends_its_request(bench: GatewayBench, caplog: pytest.LogCaptureFixture) -> None:
    """400 and the end of the connection; the route stops waiting, and nothing is logged as a defect."""
    gateway = bench.gateway()
    head = b"POST /transcribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    status, _ = said(gateway, head + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n")
    assert status == 400
    eventually(lambda: gateway.requests_in_progress == 0, timeout_seconds=10, what="the end of the request")
    assert [record.message for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_a_client_that_does_not_read_is_cut_off(bench: GatewayBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold its connection and its answer for ever."""
    monkeypatch.setattr(protocol, "SEND_STALL_SECONDS", 0.2)
    gateway = bench.gateway()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(request * 2_000)
        eventually(
            lambda: not gateway.server.server_state.connections,
            timeout_seconds=20,
            what="the end of the connection",
        )


def test_connections_without_a_request_make_room(bench: GatewayBench, tmp_path: Path) -> None:
    """Three hundred that are opened again as soon as they are closed leave health and the log as they were."""
    with gateway_process(bench.settings, tmp_path / "log", descriptors=FEW_DESCRIPTORS) as gateway:
        lines = gateway.log_lines
        attackers = [partial(connect_and_hold, gateway.client.port, pause_seconds=PAUSE_SECONDS)] * 300
        attackers += [partial(garbage, gateway.client.port)] * 2
        _, probes = asyncio.run(under_attack(gateway.client.port, attackers, seconds=3))
        assert probes.failures == []
        assert probes.worst < HEALTH_SECONDS
        assert gateway.log_lines - lines <= 6
