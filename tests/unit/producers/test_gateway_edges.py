"""What the gateway says beside its answers: headers, traces, health; and what it refuses before it begins."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message
from structlog.contextvars import get_contextvars

from producers.gateway.app import create_app
from producers.gateway.failures import RETRY_AFTER_SECONDS, refusal
from producers.gateway.interactive.job_request import EnrichmentTimeout, JobRequest, TranscriptTimeout
from producers.gateway.monitoring.dependencies import FRESH_SECONDS, Dependencies
from producers.gateway.monitoring.tracing import TRACE_ID_HEADER, TraceMiddleware
from producers.gateway.routes.disconnects import while_connected
from schemas.errors import DependencyDown
from schemas.kafka.trace import Trace
from schemas.options import TranscribeOptions
from schemas.settings import GatewaySettings
from tests.contract.jobs.gateway_jobs import turned
from tests.support.clock import HandClock
from tests.unit.producers.lone_routes import open_no_services

NOBODY = Request({"type": "http"})
ASKED = JobRequest("a.wav", None, "call-7", True, TranscribeOptions(), None, "t", Trace("0" * 32, "1" * 16))


@pytest.mark.parametrize("kind", [TranscriptTimeout, EnrichmentTimeout])
def test_an_answer_that_is_late_names_its_job_and_its_key(
    kind: type[TranscriptTimeout | EnrichmentTimeout],
) -> None:
    """Programs ask again with them; they stand beside the error, and other failures have none."""
    late = json.loads(bytes(asyncio.run(refusal(NOBODY, kind(ASKED, "late"))).body))
    assert (late["job_id"], late["idempotency_key"]) == (ASKED.job_id, "call-7")
    other = json.loads(bytes(asyncio.run(refusal(NOBODY, DependencyDown("kafka", "no broker"))).body))
    assert set(other) == {"success", "error"}


def test_headers_that_belong_to_a_refusal_stay() -> None:
    """405 says which methods there are; only what may pass by itself says when to come again."""
    wrong = asyncio.run(refusal(NOBODY, HTTPException(405, headers={"Allow": "GET"})))
    assert wrong.headers["allow"] == "GET"
    assert "retry-after" not in wrong.headers
    down = asyncio.run(refusal(NOBODY, DependencyDown("kafka", "no broker")))
    assert down.headers["retry-after"] == str(RETRY_AFTER_SECONDS)


def test_what_is_logged_during_a_request_has_its_trace() -> None:
    """And what is logged after it has not."""
    app, seen = FastAPI(), list[object]()
    app.add_middleware(TraceMiddleware)

    @app.get("/")
    async def look() -> None:
        seen.append(get_contextvars().get("trace_id"))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            answer = await client.get("/")
        seen.append(get_contextvars().get("trace_id"))
        return answer

    answer = asyncio.run(ask())
    assert seen == [answer.headers[TRACE_ID_HEADER], None]


def test_an_enrichment_where_nobody_enriches_is_refused_before_its_file_is_looked_at() -> None:
    """503; the other route is not touched by the setting."""

    app = create_app(GatewaySettings(enrichment=False), open_services=open_no_services)

    async def reason(path: str) -> str:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            return str((await client.post(path, files={"other": b"x"})).json()["error"]["reason"])

    assert asyncio.run(reason("/transcribe-and-process")) == "enrichment_off"
    assert asyncio.run(reason("/transcribe")) != "enrichment_off"


class Service:
    """Something behind the gateway that answers as it is told, and counts how often it was asked."""

    def __init__(self, answer: Callable[[], bool]) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self) -> bool:
        """Check, and count it."""
        self.asked += 1
        return self.answer()


def broken() -> bool:
    """Fail instead of answering."""
    raise ConnectionError("gone")


def test_probes_that_come_together_share_one_check_and_later_ones_make_a_new_one() -> None:
    """A service that came back is seen after two seconds at most."""
    service, clock = Service(lambda: False), HandClock()

    async def asked() -> list[bool]:
        dependencies = Dependencies({"kafka": service}, threads, clock=clock)
        seen = [(await dependencies.up())["kafka"]]
        service.answer = lambda: True
        for seconds in (FRESH_SECONDS, FRESH_SECONDS + 0.1):
            clock.seconds = seconds
            seen.append((await dependencies.up())["kafka"])
        return seen

    with ThreadPoolExecutor(1) as threads:
        assert asyncio.run(asked()) == [False, False, True]
    assert service.asked == 2


def test_a_check_that_fails_or_says_no_counts_as_down() -> None:
    """Beside one that answers."""
    services = {"bucket": Service(broken), "kafka": Service(lambda: False), "else": Service(lambda: True)}

    async def asked() -> dict[str, bool]:
        return await Dependencies(services, threads, clock=HandClock()).up()

    with ThreadPoolExecutor(3) as threads:
        assert asyncio.run(asked()) == {"bucket": False, "kafka": False, "else": True}


def test_a_client_that_leaves_ends_its_request_once_that_has_cleaned_up() -> None:
    """The withdrawal is part of the request; nothing waits for an answer that nobody reads."""
    ended: list[str] = []

    async def answering() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await turned()
            ended.append("withdrawn")
            raise
        return "an answer"

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def leave() -> None:
        async with asyncio.timeout(10):
            await while_connected(Request({"type": "http"}, gone), answering())

    with pytest.raises(ClientDisconnect):
        asyncio.run(leave())
    assert ended == ["withdrawn"]


def test_an_answer_that_is_there_is_given_while_the_client_waits() -> None:
    """And what it raises is raised."""

    async def silent() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("nobody ever sets it")

    async def answer(error: Exception | None) -> str:
        if error:
            raise error
        return "text"

    async def stay(error: Exception | None = None) -> str:
        return await while_connected(Request({"type": "http"}, silent), answer(error))

    assert asyncio.run(stay()) == "text"
    with pytest.raises(DependencyDown):
        asyncio.run(stay(DependencyDown("kafka", "no broker")))
