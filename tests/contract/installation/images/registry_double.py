"""A small registry of images on loopback, after the OCI specification: challenges, tokens, manifests."""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"


class RegistryDouble:
    """Tags, each with an index. Pulls need a token, as on Docker Hub; from a private one also a password."""

    def __init__(self, *, password: str | None = None) -> None:
        self.password = password
        self.tags: dict[tuple[str, str], bytes] = {}
        self.stated_digest: str | None = None
        self.limit_seconds: int | None = None
        self.requests: list[str] = []
        self._tokens: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def push(self, repository: str, tag: str, build: str) -> str:
        """Give a tag a new index, and return the index's digest."""
        content = json.dumps(
            {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"build": build}}
        )
        self.tags[repository, tag] = content.encode()
        return digest_of(content.encode())

    @contextmanager
    def running(self) -> Iterator["RegistryDouble"]:
        """Serve while the context lasts."""
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def token(self, scope: str, authorization: str | None) -> str | None:
        """Return a token for a scope, or None where the password is wrong."""
        if self.password is not None:
            wanted = "Basic " + base64.b64encode(f"puller:{self.password}".encode()).decode()
            if authorization != wanted:
                return None
        made = secrets.token_hex(8)
        self._tokens[made] = scope
        return made

    def allows(self, authorization: str | None, repository: str) -> bool:
        """Return whether a token is for pulling this repository."""
        token = (authorization or "").removeprefix("Bearer ")
        return self._tokens.get(token) == f"repository:{repository}:pull"

    def _handler(double) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                double.requests.append(self.path)
                parts = urlsplit(self.path)
                if parts.path == "/token":
                    self._give_token(parse_qs(parts.query)["scope"][0])
                else:
                    repository, _, tag = parts.path.removeprefix("/v2/").partition("/manifests/")
                    self._give_manifest(repository, tag)

            def _give_token(self, scope: str) -> None:
                made = double.token(scope, self.headers["Authorization"])
                self._answer(200 if made else 401, json.dumps({"token": made} if made else {}).encode())

            def _give_manifest(self, repository: str, tag: str) -> None:
                if not double.allows(self.headers["Authorization"], repository):
                    scope = f"repository:{repository}:pull"
                    challenge = f'Bearer realm="{double.url}/token",service="double",scope="{scope}"'
                    self._answer(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', ("WWW-Authenticate", challenge))
                elif double.limit_seconds is not None:
                    self._answer(429, b"{}", ("Retry-After", str(double.limit_seconds)))
                elif (content := double.tags.get((repository, tag))) is None:
                    self._answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
                elif INDEX not in self.headers["Accept"]:
                    self._answer(200, b'{"schemaVersion":2,"layers":[]}', ("Content-Type", MANIFEST))
                else:
                    stated = double.stated_digest or digest_of(content)
                    self._answer(200, content, ("Content-Type", INDEX), ("Docker-Content-Digest", stated))

            def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
                self.send_response(status)
                for name, value in (*headers, ("Content-Length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler


def digest_of(content: bytes) -> str:
    """Return the digest of a manifest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
