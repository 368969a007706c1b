"""The HTTP server of the gateway, which answers the requests that still wait when it stops."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final

import uvicorn

from producers.gateway.app import Services, create_app
from schemas.errors import ConfigurationError, KascribeError
from schemas.settings import GatewaySettings

FINISH_SECONDS: Final = 10.0
"""After SIGTERM, for answers that come soon; requests that still wait then are answered with ``stopping``."""

REFUSE_SECONDS: Final = 5
"""After that, for sending these answers."""


class GatewayServer(uvicorn.Server):
    """Serves the routes. Requests that wait when it stops are answered, not cut off.

    ``open_services`` opens the clients behind the routes when the server starts, inside its event loop.
    """

    def __init__(
        self, settings: GatewaySettings, *, open_services: Callable[[], AbstractAsyncContextManager[Services]]
    ) -> None:
        app = create_app(settings, open_services=open_services)
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=int(FINISH_SECONDS) + REFUSE_SECONDS,
            )
        )
        self.finish_seconds = FINISH_SECONDS
        self._app = app
        self._settings = settings

    @property
    def port(self) -> int:
        """The port that the server listens on, once it has started."""
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        """Stop the server; a second call stops waiting for requests. Safe from any thread and signal handler."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signal handlers alone: the process calls ``stop``."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen. Raises ConfigurationError for an unusable address, KascribeError for other failures."""
        try:
            await super().startup(sockets)
        except SystemExit as ended:
            if not isinstance(ended.__context__, OSError):
                raise KascribeError("the gateway did not start; its log says why") from ended
            # How uvicorn reports that the address is taken, after it has closed the clients.
            raise ConfigurationError(
                f"cannot listen on {self._settings.host}:{self._settings.port} ({ended.__context__}); set "
                "KASCRIBE_GATEWAY_PORT to a free port, or KASCRIBE_GATEWAY_HOST to an address of this machine"
            ) from ended

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for the requests in progress; after ``finish_seconds`` refuse those that still wait."""
        answers = self._app.state.services.jobs.answers
        refusing = asyncio.get_running_loop().call_later(self.finish_seconds, answers.stop)
        try:
            await super().shutdown(sockets)
        finally:
            refusing.cancel()
