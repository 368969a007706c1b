"""Health and metrics over HTTP: is the loop alive, is it ready, what does it count."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from schemas.errors import ConfigurationError
from schemas.settings import ServerSettings

REQUEST_TIMEOUT_SECONDS: Final = 5.0
"""A client that opens a connection and says nothing must not hold a thread for ever."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer to "are you well?": ``reasons`` say why not, ``facts`` are what was looked at."""

    ok: bool
    reasons: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


Check = Callable[[], Verdict]


class HealthServer:
    """Serves ``/health/live``, ``/health/ready`` and ``/metrics`` from a thread of its own.

    The checks are called on request threads, so they read snapshots and never block. A failing check answers
    503 with the same JSON. Raises ConfigurationError when the address cannot be listened on.
    """

    def __init__(
        self, settings: ServerSettings, *, live: Check, ready: Check, registry: CollectorRegistry
    ) -> None:
        checks = {"/health/live": live, "/health/ready": ready}
        handler = type("_BoundHandler", (_Handler,), {"checks": checks, "registry": registry})
        try:
            self._server = _Server((settings.host, settings.port), handler)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {settings.host}:{settings.port} for health and metrics ({error}); "
                "set KASCRIBE_SERVER_PORT to a free port, or to 0 to take any"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Returns at once; to be called once."""
        self._thread.start()

    def stop(self) -> None:
        """Blocks until the thread is gone. Only after start."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - as it is called
        """Logs it: the standard library writes a traceback to stderr."""
        _log.debug("a health request failed", client=str(client_address), exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    checks: Mapping[str, Check]
    registry: CollectorRegistry
    timeout = REQUEST_TIMEOUT_SECONDS

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/metrics":
            self._answer(200, CONTENT_TYPE_LATEST, generate_latest(self.registry))
        elif path in self.checks:
            verdict = self.checks[path]()
            body = json.dumps(asdict(verdict), default=str).encode()
            self._answer(200 if verdict.ok else 503, "application/json", body)
        else:
            body = json.dumps({"error": "not found", "paths": [*self.checks, "/metrics"]}).encode()
            self._answer(404, "application/json", body)

    # The headers of a GET, and no body: what some balancers ask with.
    do_HEAD = do_GET  # noqa: N815 - http.server finds it by this name

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Says nothing: probes come every few seconds."""
