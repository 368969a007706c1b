"""A receiver of webhooks as users write one: it verifies every request with the library of Standard Webhooks."""

import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET: Final = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMhISE="
OTHER_SECRET: Final = "whsec_" + "YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiE="


@dataclass
class Receiver:
    """What came, and what is answered. ``status`` of 200 takes events; others are answered without a look."""

    secret: str = SECRET
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None
    """Requests are answered once it is set."""
    requests: list[dict[str, str]] = field(default_factory=list)
    """The headers of every request, in lower case, with its ``:path``."""
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Verified messages, by webhook-id."""
    taken: Counter[str] = field(default_factory=Counter)
    """How often each webhook-id was taken."""
    unverified: list[str] = field(default_factory=list)
    port: int = 0
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Take a request and return the status of its answer."""
        with self._lock:
            self.requests.append({**headers, ":path": path})
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.hold is not None:
                self.hold.wait(30)
            return self._verified(headers, body) if self.status == 200 else self.status
        finally:
            with self._lock:
                self._at_once -= 1

    def _verified(self, headers: dict[str, str], body: bytes) -> int:
        try:
            message = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError as error:
            self.unverified.append(str(error))
            return 401
        with self._lock:
            self.events[headers["webhook-id"]] = message
            self.taken[headers["webhook-id"]] += 1
        return 200


@contextmanager
def receiving(receiver: Receiver, *, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Listen on loopback while the context lasts; ``receiver.port`` says where."""
    server = _Server(receiver, port)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.hold is not None:
            receiver.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, receiver: Receiver, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.receiver = receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client that goes away in its handshake is part of a test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
        pass

    def do_POST(self) -> None:
        assert isinstance(self.server, _Server)
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = receiver.answer(self.path, headers, body)
        self.send_response(status)
        for name, value in {"content-length": "0", **receiver.headers}.items():
            self.send_header(name, value)
        self.end_headers()
