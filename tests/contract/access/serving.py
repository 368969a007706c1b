"""A gateway's server on a real socket, without Kafka and without a bucket."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

from producers.gateway.server import GatewayServer
from producers.gateway.services import Services
from schemas.settings import GatewaySettings
from tests.contract.access.access_bench import Healthy
from tests.support.waiting import eventually


@asynccontextmanager
async def open_services() -> AsyncIterator[Services]:
    """Open services for health alone."""
    jobs = SimpleNamespace(answers=SimpleNamespace(stop=lambda: None))
    hub = SimpleNamespace(stop=lambda: None)
    yield SimpleNamespace(jobs=jobs, hub=hub, dependencies=Healthy(), gate=None)  # type: ignore[misc]


@contextmanager
def serving(**changed: object) -> Iterator[GatewayServer]:
    """Serve on a free port while the context lasts."""
    settings = GatewaySettings.model_validate({"port": 0, **changed})
    server = GatewayServer(settings, open_services=open_services)
    thread = threading.Thread(target=server.run, name="gateway", daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive(), timeout_seconds=20, what="the gateway's start")
        yield server
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive(), "the gateway did not stop"
