"""The routes. Every failure is answered with ``{"success": false, "error": {reason, message}}``."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from producers.gateway.answers import JobFailed
from producers.gateway.body import opened_form
from producers.gateway.failures import RequestRefused, add_failure_handlers
from producers.gateway.health import Dependencies
from producers.gateway.job_request import JobAnswer
from producers.gateway.jobs import Jobs
from producers.gateway.requests import check_names, job_request_of, upload_in
from producers.gateway.tracing import TraceMiddleware
from schemas.events import EnrichmentEvent
from schemas.settings import GatewaySettings

INSTRUCTION: Final = "instruction"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Services:
    """The services behind the routes while the server runs."""

    jobs: Jobs
    dependencies: Dependencies


def create_app(
    settings: GatewaySettings, *, open_services: Callable[[], AbstractAsyncContextManager[Services]]
) -> FastAPI:
    """Build the ASGI application. ``open_services`` is entered when the server starts, inside its event loop."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state.services = services
            yield

    app = FastAPI(title="Kascribe", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(TraceMiddleware)
    add_failure_handlers(app)
    _add_routes(app, settings)
    return app


def _add_routes(app: FastAPI, settings: GatewaySettings) -> None:
    @app.api_route("/health", methods=["GET", "HEAD"])
    async def health(request: Request) -> JSONResponse:
        # Always 200: a new process would not repair a service that is down.
        up = await _services(request).dependencies.up()
        return JSONResponse({"status": "ok" if all(up.values()) else "degraded", "dependencies": up})

    @app.post("/transcribe")
    async def transcribe(request: Request) -> JSONResponse:
        answer = await _answer(request, settings, enriching=False)
        return JSONResponse({"success": True, **_transcribed(answer)})

    @app.post("/transcribe-and-process")
    async def transcribe_and_process(request: Request) -> JSONResponse:
        answer = await _answer(request, settings, enriching=True)
        return JSONResponse({"success": True, **_transcribed(answer), **_processed(answer.enrichment)})


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _answer(request: Request, settings: GatewaySettings, *, enriching: bool) -> JobAnswer:
    """Take one request from form to answer; wait for the answer as long as the client is connected."""
    jobs = _services(request).jobs
    async with opened_form(request, limit_bytes=settings.upload_limit_bytes) as form:
        if enriching and not settings.enrichment:
            raise _no_enricher()
        check_names(request, form, enriching=enriching)
        file = upload_in(form, limit_bytes=settings.upload_limit_bytes)
        job_request = job_request_of(request, form, file, new_id=jobs.new_id(), enriching=enriching)
        return await _while_connected(request, jobs.answer(job_request, file.file))


def _no_enricher() -> RequestRefused:
    return RequestRefused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "enrichment_off",
        "no enricher runs here (KASCRIBE_GATEWAY_ENRICHMENT=false): `kascribe up` starts one when "
        "KASCRIBE_VLLM_BASE_URL names a vLLM server; POST /transcribe gives the text without it",
    )


async def _while_connected(request: Request, answer: Coroutine[None, None, Result]) -> Result:
    """Return the answer; cancel the job and raise ClientDisconnect if the client disconnects first."""
    answering = asyncio.create_task(answer)
    leaving = asyncio.create_task(_client_gone(request))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise ClientDisconnect
        return answering.result()
    finally:
        leaving.cancel()
        if answering.cancel():
            await asyncio.wait({answering})


async def _client_gone(request: Request) -> None:
    # The body has been read: the only message that can still come is the disconnect.
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _transcribed(answer: JobAnswer) -> dict[str, object]:
    event = answer.transcript
    flags = [flag.value for flag in event.flags]
    return {"text": answer.text, "language": event.language, "job_id": event.job_id, "flags": flags}


def _processed(enrichment: EnrichmentEvent | None) -> dict[str, object]:
    """Return the enrichment's fields; ``failures`` has the reason of each profile without a result.

    ``truncated`` and ``coverage`` are those of the worst result; each has its own in ``details``.
    """
    results = enrichment.results if enrichment else ()
    failures = {result.profile: result.failure for result in results if result.failure}
    if INSTRUCTION in failures:
        raise JobFailed(failures[INSTRUCTION])
    outputs = {result.profile: result.output for result in results}
    return {
        "processed_text": outputs.pop(INSTRUCTION, None),
        "profiles": outputs,
        "truncated": any(result.truncated for result in results),
        "coverage": min((result.coverage for result in results), default=None),
        "details": {
            result.profile: {
                "truncated": result.truncated,
                "coverage": result.coverage,
                "finish_reasons": list(result.finish_reasons),
            }
            for result in results
        },
        "failures": {
            profile: {"reason": failure.reason.value, "message": failure.message}
            for profile, failure in failures.items()
        },
    }
