"""A proxy in front of an HTTP server that changes the server's answers: its clock, or its refusals."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

_NOT_COPIED = frozenset({"connection", "transfer-encoding", "content-length", "date", "server"})


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and the headers that a test may change."""

    status: int
    headers: dict[str, str]


Tamper = Callable[[Answer], Answer]


@contextmanager
def proxy_before(server_url: str, tamper: Tamper) -> Iterator[str]:
    """Run the proxy on a free loopback port while the context lasts, and return its URL.

    The Host header of requests passes unchanged, since it is part of their signatures.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(urlsplit(server_url).netloc, tamper))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(address: str, tamper: Tamper) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(address, timeout=10)
            try:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                found = connection.getresponse()
                content = found.read()
            finally:
                connection.close()
            answer = tamper(Answer(found.status, {name.lower(): value for name, value in found.getheaders()}))
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                if name not in _NOT_COPIED or name == "date":
                    self.send_header(name, value)
            length = answer.headers["content-length"] if self.command == "HEAD" else len(content)
            self.send_header("content-length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815

    return Handler
