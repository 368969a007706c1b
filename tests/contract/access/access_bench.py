"""Gateways whose keys are in a real bucket, over no socket and without Kafka."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import FastAPI, Request

from kascribe.wiring.gateway_access import opened_gate
from producers.api_keys.store import ApiKeys
from producers.gateway.access.caller import Right, caller_of
from producers.gateway.access.gate import Gate
from producers.gateway.app import create_app
from producers.gateway.services import Services
from schemas.settings import GatewaySettings, S3Settings, Settings
from tests.contract.access.key_suite import key_of
from tests.support.clock import HandClock
from tests.support.object_store import ObjectStore

PROBE = "/probe"


class Healthy:
    """Services that all answer."""

    async def up(self) -> dict[str, bool]:
        """As the real one."""
        return {"kafka": True}


@dataclass
class Replica:
    """One gateway, with a route of the test's own that needs the right to read and returns the caller's tenant."""

    app: FastAPI
    client: httpx.AsyncClient
    gate: Gate

    async def ask(self, secret: str | None = None, *, path: str = PROBE, **given: Any) -> httpx.Response:
        """Send a request with a key."""
        headers = {**given.pop("headers", {}), **({"Authorization": f"Bearer {secret}"} if secret else {})}
        return await self.client.request(given.pop("method", "POST"), path, headers=headers, **given)


@dataclass
class AccessBench:
    """A bucket with keys, and gateways on it."""

    settings: S3Settings
    store: ObjectStore
    clock: HandClock = field(default_factory=HandClock)
    opened: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def keys(self) -> ApiKeys:
        """The store of keys."""
        return ApiKeys(self.settings, client=self.store.client)

    def issue(self, key_id: str = "k1", **changed: object) -> str:
        """Make a key and return its secret."""
        return self.keys.issue(
            key_of(key_id, **{"rights": (Right.READ,), "created_at": self.clock.now(), **changed})
        )

    async def replica(self, *, s3: S3Settings | None = None, **changed: object) -> Replica:
        """Start a gateway that requires keys."""
        gateway = GatewaySettings.model_validate({"keys": "required", **changed})
        settings = Settings(s3=s3 or self.settings, gateway=gateway)
        gate = await self.opened.enter_async_context(opened_gate(settings, self.store.client, clock=self.clock))
        assert gate is not None

        @asynccontextmanager
        async def open_services() -> AsyncIterator[Services]:
            services = SimpleNamespace(jobs=None, dependencies=Healthy(), gate=gate, archive=None)
            yield services  # type: ignore[misc]

        app = create_app(gateway, open_services=open_services)
        add_probe(app)
        await self.opened.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, client=("192.0.2.1", 50_000))
        client = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        return Replica(app, await self.opened.enter_async_context(client), gate)


def add_probe(app: FastAPI) -> None:
    """Add the test's own route: it reads the body, as routes do that take one."""

    @app.post(PROBE)
    async def probe(request: Request) -> dict[str, object]:
        caller = caller_of(request, Right.READ)
        size = 0
        async for piece in request.stream():
            size += len(piece)
        return {"tenant": caller.tenant, "bytes": size}


Scenario = Callable[[AccessBench], Coroutine[Any, Any, None]]


async def play(settings: S3Settings, store: ObjectStore, scenario: Scenario) -> None:
    """Run a scenario on a bench, and close what it opened."""
    bench = AccessBench(settings, store)
    async with bench.opened:
        await scenario(bench)


def reason_in(answer: httpx.Response) -> str:
    """Return the reason of a failure."""
    body: Mapping[str, Any] = answer.json()
    assert body["success"] is False
    return str(body["error"]["reason"])
