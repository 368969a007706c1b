"""The ASGI application: its life, its middleware and its routes.

Every failure is answered with ``{"success": false, "error": {reason, message}}``.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from producers.gateway.access.layers import add_access, add_security_headers
from producers.gateway.archive.routes import add_archive
from producers.gateway.connections.guard import add_guard
from producers.gateway.documentation.openapi import operation_id
from producers.gateway.documentation.pages import EventDocuments, add_documentation
from producers.gateway.events.routes import add_events
from producers.gateway.failures import add_failure_handlers
from producers.gateway.jobs.routes import add_jobs
from producers.gateway.monitoring.layers import add_monitor
from producers.gateway.monitoring.ports import Instruments
from producers.gateway.monitoring.tracing import TraceMiddleware
from producers.gateway.openai.models import add_models
from producers.gateway.openai.speech import add_speech
from producers.gateway.page.routes import add_page
from producers.gateway.routes.health import add_health
from producers.gateway.routes.session import add_session
from producers.gateway.routes.transcribe import add_transcribe
from producers.gateway.services import Services
from schemas.monitoring.tracing import Tracer
from schemas.settings import GatewaySettings


def create_app(
    settings: GatewaySettings,
    *,
    open_services: Callable[[], AbstractAsyncContextManager[Services]],
    event_documents: Callable[[], EventDocuments] | None = None,
    instruments: Instruments | None = None,
    tracer: Tracer | None = None,
) -> FastAPI:
    """Build the ASGI application. ``open_services`` is entered when the server starts, inside its event loop.

    ``event_documents`` describe the topics, and are made when they are first requested. ``instruments``
    measure the requests, ``tracer`` makes them spans.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            app.state.services = services
            try:
                yield
            finally:
                # FastAPI keeps the routes of a process's applications; what they were served by is freed.
                del app.state.services

    app = FastAPI(lifespan=lifespan, openapi_url=None, generate_unique_id_function=operation_id)
    add_access(app, settings)
    add_guard(app, settings)
    app.add_middleware(TraceMiddleware, tracer=tracer)
    add_security_headers(app)
    add_monitor(app, settings, instruments)  # the last one added handles a request first
    add_failure_handlers(app)
    add_page(app)
    add_documentation(app, event_documents)
    add_health(app)
    add_session(app, settings)
    add_transcribe(app, settings)
    add_events(app)
    add_speech(app, settings)
    add_models(app)
    add_jobs(app, settings)
    add_archive(app)
    return app
