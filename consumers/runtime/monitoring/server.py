"""Health checks and metrics over HTTP."""

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from consumers.runtime.monitoring.health import HealthCheck
from schemas.errors import ConfigurationError
from schemas.settings import ServerSettings

REQUEST_TIMEOUT_SECONDS: Final = 5.0
"""A client that opens a connection and sends nothing must not hold a thread forever."""

_log: Final = structlog.get_logger(__name__)


class HealthServer:
    """Server of ``/health/live``, ``/health/ready`` and ``/metrics``, on a thread of its own.

    Responds with a check's report as JSON: 200 if it is ok, else 503. The constructor raises ConfigurationError if
    it cannot listen on the address.
    """

    def __init__(
        self, settings: ServerSettings, *, live: HealthCheck, ready: HealthCheck, registry: CollectorRegistry
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
        """The port that the server listens on, also if the settings say 0."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Start the thread. Returns at once; call it once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and block until it has ended. Only after ``start``."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - as it is called
        """Log the error; the standard library would write a traceback to stderr."""
        _log.debug("health request failed", client=str(client_address), exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    checks: Mapping[str, HealthCheck]
    registry: CollectorRegistry
    timeout = REQUEST_TIMEOUT_SECONDS

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/metrics":
            self._respond(200, CONTENT_TYPE_LATEST, generate_latest(self.registry))
        elif path in self.checks:
            report = self.checks[path]()
            body = json.dumps(asdict(report), default=str).encode()
            self._respond(200 if report.ok else 503, "application/json", body)
        else:
            body = json.dumps({"error": "not found", "paths": [*self.checks, "/metrics"]}).encode()
            self._respond(404, "application/json", body)

    # The headers of a GET without the body: some load balancers check health so.
    do_HEAD = do_GET  # noqa: N815 - http.server finds it by this name

    def _respond(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Log nothing: probes arrive every few seconds."""
