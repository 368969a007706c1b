"""The HTTP server of the gateway, which answers the requests that still wait when it stops."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final

import structlog
import uvicorn

from producers.gateway.access.tls import tls_context
from producers.gateway.app import create_app
from producers.gateway.connections.guard import Guard
from producers.gateway.connections.listener import Listener
from producers.gateway.connections.protocol import GatewayProtocol, ProtocolLog
from producers.gateway.documentation.pages import EventDocuments
from producers.gateway.monitoring.ports import Instruments
from producers.gateway.services import Services
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError, KascribeError
from schemas.monitoring.tracing import Tracer
from schemas.settings import GatewaySettings

FINISH_SECONDS: Final = 10.0
"""After SIGTERM, for answers that come soon; requests that still wait then are answered with ``stopping``."""

REFUSE_SECONDS: Final = 5
"""After that, for sending these answers."""

TICKS_PER_SWEEP: Final = 10
"""uvicorn's ticks, a tenth of a second each, between two looks at connections that wait for their client."""

_log: Final = structlog.get_logger(__name__)


class GatewayServer(uvicorn.Server):
    """Serves the routes. Requests that wait when it stops are answered, not cut off.

    ``open_services`` opens the clients behind the routes when the server starts, inside its event loop.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        open_services: Callable[[], AbstractAsyncContextManager[Services]],
        event_documents: Callable[[], EventDocuments] | None = None,
        instruments: Instruments | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        tls = tls_context(settings)
        app = create_app(
            settings,
            open_services=open_services,
            event_documents=event_documents,
            instruments=instruments,
            tracer=tracer,
        )
        guard: Guard = app.state.guard
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                http=GatewayProtocol,
                ws="none",
                h11_max_incomplete_event_size=settings.header_limit_bytes,
                ssl_context_factory=None if tls is None else lambda _config, _usual: tls,
                server_header=False,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=int(FINISH_SECONDS) + REFUSE_SECONDS,
            )
        )
        self.finish_seconds = FINISH_SECONDS
        self._app = app
        self._settings = settings
        self._guard = guard
        self._log = ProtocolLog(guard.refusals)
        self._clock = SystemClock()
        self._listener = Listener(guard.places, guard.refusals, self._connection_of, clock=self._clock)

    @property
    def port(self) -> int:
        """The port that the server listens on, once it has started."""
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        """Stop the server; a second call stops waiting for requests. Safe from any thread and signal handler."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signal handlers alone: the process calls ``stop``."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's
        """Start to listen. Raises ConfigurationError for an unusable address, KascribeError for other failures."""
        try:
            # uvicorn opens the services, and gets no sockets: the listener accepts within limits.
            await super().startup(sockets=[])
            self.started = False
        except SystemExit as ended:
            raise KascribeError("the gateway did not start; its log says why") from ended
        self._listener.tls = self.config.ssl
        try:
            await self._listener.open(self._settings.host, self._settings.port)
        except OSError as error:
            await self.lifespan.shutdown()
            raise ConfigurationError(
                f"cannot listen on {self._settings.host}:{self._settings.port} ({error}); set "
                "KASCRIBE_GATEWAY_PORT to a free port, or KASCRIBE_GATEWAY_HOST to an address of this machine"
            ) from error
        self.started = True
        _log.info(
            "gateway listens", host=self._settings.host, port=self.port, is_encrypted=self.config.ssl is not None
        )

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections; see uvicorn."""
        if counter % TICKS_PER_SWEEP == 0:
            self._listener.sweep(self.server_state.connections)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for the requests in progress; after ``finish_seconds`` refuse those that still wait."""
        self._listener.close()
        services = self._app.state.services
        services.hub.stop()  # streams have no end of their own
        answers = services.jobs.answers
        refusing = asyncio.get_running_loop().call_later(self.finish_seconds, answers.stop)
        try:
            await super().shutdown(sockets)
        finally:
            refusing.cancel()
            _log.info("gateway stopped")

    def _connection_of(self, address: str) -> GatewayProtocol:
        return GatewayProtocol(
            self.config,
            self.server_state,
            self.lifespan.state,
            address=address,
            places=self._guard.places,
            refusals=self._guard.refusals,
            log=self._log,
            clock=self._clock,
        )
