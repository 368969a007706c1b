"""What a container's health check sees, beside the server that its role runs."""

import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from consumers.runtime.monitoring.server import HealthServer
from kascribe.process.health import RoleHealth
from schemas.monitoring import HealthReport
from schemas.settings import ServerSettings
from tests.flow.gateway import Gateway, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.support.health_checks import exit_code, of_image
from tests.support.object_store import running_object_store


@pytest.fixture
def gateway(broker: MockCluster) -> Iterator[Gateway]:
    """Start a replica on a broker and a bucket."""
    with (
        running_object_store() as store,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as bench,
    ):
        yield bench.gateway()


def test_the_gateway_s_check_requests_the_port_that_the_gateway_serves(
    gateway: Gateway, broker: MockCluster
) -> None:
    """Healthy while it serves, also without a broker, which no new process would bring back; else unhealthy."""
    check = of_image("gateway")
    serving = {"KASCRIBE_GATEWAY_PORT": str(gateway.port)}
    assert exit_code(check, serving) == 0
    broker.stop_broker()
    assert exit_code(check, serving) == 0
    assert exit_code(check, {"KASCRIBE_GATEWAY_PORT": str(_closed_port())}) != 0


@pytest.mark.parametrize("role", ["transcriber", "enricher"])
@pytest.mark.parametrize("alive", [True, False])
def test_a_consumer_s_check_fails_where_only_a_new_process_helps(role: str, alive: bool) -> None:
    """It requests liveness, not readiness, at the role's port."""
    health = RoleHealth(is_well=lambda: alive)
    server = HealthServer(
        ServerSettings(port=0), live=health.live, ready=health.ready, registry=health.metrics.registry
    )
    server.start()
    try:
        seen = exit_code(of_image(role), {"KASCRIBE_SERVER_PORT": str(server.port)})
    finally:
        server.stop()
    assert (seen == 0) is alive
    assert not health.ready().ok


def test_health_answers_balancers_that_request_the_head_alone(gateway: Gateway) -> None:
    """The status of a GET and its length, without a body: in every role."""
    response, length = gateway.request("GET", "/health"), _head(gateway.port, "/health")
    assert response.status == 200
    assert length == ("200", response.headers["content-length"], b"")
    server = HealthServer(
        ServerSettings(port=0),
        live=lambda: HealthReport(True),
        ready=lambda: HealthReport(False, ("starting",)),
        registry=CollectorRegistry(),
    )
    server.start()
    try:
        statuses = [_head(server.port, f"/{path}") for path in ("health/live", "health/ready", "metrics", "else")]
    finally:
        server.stop()
    assert [status for status, _, _ in statuses] == ["200", "503", "200", "404"]
    assert [body for _, _, body in statuses] == [b""] * 4


def _head(port: int, path: str) -> tuple[str, str, bytes]:
    """Return status, announced length, and every byte after the headers until the connection was closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return first.split()[1], headers["content-length"], body


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])
