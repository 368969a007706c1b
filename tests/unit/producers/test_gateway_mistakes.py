"""What the gateway says when it fails itself: the framework's part of it, without a server."""

import asyncio
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from fastapi import FastAPI

from producers.gateway.app import create_app
from producers.gateway.failures import add_failure_handlers
from producers.gateway.monitoring.tracing import TraceMiddleware
from schemas.settings import GatewaySettings
from tests.unit.producers.lone_routes import open_no_services

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
FULL_DISK = Path("/dev/full")


async def asked(app: FastAPI, method: str, path: str, **given: Any) -> httpx.Response:
    """One request to an application that runs in this process."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        return await client.request(method, path, **given)


def test_a_mistake_of_ours_is_answered_and_logged_within_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reports it can name the trace, and the log has what went wrong under that name."""
    app = FastAPI()
    app.add_middleware(TraceMiddleware)
    add_failure_handlers(app)

    @app.get("/")
    async def fail() -> None:
        raise ZeroDivisionError("a mistake")

    answer = asyncio.run(asked(app, "GET", "/", headers=HEADERS))
    assert (answer.status_code, answer.json()["error"]["reason"]) == (500, "internal_error")
    assert answer.headers["x-trace-id"] == TRACE_ID
    assert "a mistake" not in answer.text
    logged = capsys.readouterr().out
    assert TRACE_ID in logged
    assert "ZeroDivisionError: a mistake" in logged


@pytest.mark.skipif(not FULL_DISK.exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_under_an_upload_is_said_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with when to come again, and what is full: uploads wait in the temporary directory."""

    def full(*_: object, **__: object) -> IO[bytes]:
        return FULL_DISK.open("wb", buffering=0)

    monkeypatch.setattr("producers.gateway.connections.spool.MEMORY_BYTES", 1)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    app = create_app(GatewaySettings(), open_services=open_no_services)
    answer = asyncio.run(asked(app, "POST", "/transcribe", files={"file": ("a.wav", b"audio")}))
    assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "disk_full")
    assert "TMPDIR" in answer.json()["error"]["message"]
    assert answer.headers["retry-after"]
