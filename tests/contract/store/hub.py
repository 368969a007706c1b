"""A small true hub on loopback: the part of the Hugging Face hub's HTTP interface that downloads use.

Large files are answered, as on the real one, with a redirect to another origin, where the token must not go.
"""

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

CONTENT_PATH = "/content/"
_API = re.compile(r"/api/models/(?P<repository>[^/]+/[^/]+)(?:/revision/(?P<revision>[^/]+))?")
_RESOLVE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_RANGE = re.compile(r"bytes=(\d+)-")


def commit_of(files: dict[str, bytes]) -> str:
    """Return a commit id that changes with the content."""
    return hashlib.sha1(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()


@dataclass
class LoopbackHub:
    """Repositories by ``org/name``, and what goes wrong. Counts every request by its path."""

    repositories: dict[str, dict[str, bytes]]
    lfs_from_bytes: int = 1_000
    token: str | None = None
    """When set, every request to the hub itself must carry it."""
    cut_after_bytes: list[int] = field(default_factory=list)
    """One per answer of content: the connection is cut after so many bytes of it."""
    corrupted: set[str] = field(default_factory=set)
    """Paths whose content arrives with a flipped byte."""
    statuses: list[int] = field(default_factory=list)
    """Answers of the hub before it works: 503, say."""
    listing: bytes | None = None
    """When set, what is answered instead of a repository's files."""
    content_headers: dict[str, str] = field(default_factory=dict)
    """Said with every answer of content, true or not."""
    gate: threading.Event | None = None
    """When set, content waits for it after the first half."""
    requests: Counter[str] = field(default_factory=Counter)
    ranges: list[int] = field(default_factory=list)
    endpoint: str = ""
    content_endpoint: str = ""
    leaked_tokens: int = 0
    """Requests for content that carried the hub's token to the other origin."""

    @contextmanager
    def running(self) -> Iterator["LoopbackHub"]:
        """Listen on two loopback ports until the block ends."""
        servers = [_Server(self), _Server(self)]
        threads = [threading.Thread(target=each.serve_forever, args=(0.02,)) for each in servers]
        # Two names, so that the second is another host, whose answers huggingface_hub takes for a CDN's.
        self.endpoint = f"http://127.0.0.1:{servers[0].server_port}"
        self.content_endpoint = f"http://localhost:{servers[1].server_port}"
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            if self.gate is not None:
                self.gate.set()
            for server, thread in zip(servers, threads, strict=True):
                server.shutdown()
                thread.join()
                server.server_close()

    @property
    def request_count(self) -> int:
        """Requests of any kind so far."""
        return self.requests.total()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub: LoopbackHub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> LoopbackHub:
        assert isinstance(self.server, _Server)
        return self.server.hub

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests[path] += 1
        if path.startswith(CONTENT_PATH):
            self.hub.leaked_tokens += "Authorization" in self.headers
            repository, _, name = path.removeprefix(CONTENT_PATH).partition("@")
            self._send_content(name, self.hub.repositories[repository][name], {})
        elif self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            given = "Authorization" in self.headers
            self._refuse(
                HTTPStatus.UNAUTHORIZED,
                {"X-Error-Message": "Invalid credentials in Authorization header"} if given else {},
            )
        elif self.hub.statuses:
            self._refuse(self.hub.statuses.pop(0), {})
        elif match := _API.fullmatch(path):
            self._send_listing(match["repository"], match["revision"])
        elif match := _RESOLVE.fullmatch(path):
            self._resolve(match["repository"], match["revision"], match["path"])
        else:
            self._refuse(HTTPStatus.NOT_FOUND, {})

    def _send_listing(self, repository: str, revision: str | None) -> None:
        files = self.hub.repositories.get(repository)
        if files is None:
            self._refuse(HTTPStatus.UNAUTHORIZED, {"X-Error-Code": "RepoNotFound"})
            return
        if revision not in (None, "main", commit_of(files)):
            self._refuse(HTTPStatus.NOT_FOUND, {"X-Error-Code": "RevisionNotFound"})
            return
        siblings = [self._sibling(path, content) for path, content in files.items()]
        listing = {"id": repository, "modelId": repository, "sha": commit_of(files), "siblings": siblings}
        body = json.dumps(listing).encode() if self.hub.listing is None else self.hub.listing
        self._send(HTTPStatus.OK, body, {"Content-Type": "application/json"})

    def _sibling(self, path: str, content: bytes) -> dict[str, object]:
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
        sibling: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": blob}
        if len(content) >= self.hub.lfs_from_bytes:
            digest = hashlib.sha256(content).hexdigest()
            sibling["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
        return sibling

    def _resolve(self, repository: str, revision: str, path: str) -> None:
        files = self.hub.repositories.get(repository, {})
        if path not in files or revision not in ("main", commit_of(files)):
            self._refuse(HTTPStatus.NOT_FOUND, {"X-Error-Code": "EntryNotFound"})
            return
        content = files[path]
        known = {"X-Repo-Commit": commit_of(files), "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        if len(content) < self.hub.lfs_from_bytes:
            self._send_content(path, content, known)
            return
        known |= {
            "X-Linked-Etag": known["ETag"],
            "X-Linked-Size": str(len(content)),
            "Location": f"{self.hub.content_endpoint}{CONTENT_PATH}{repository}@{path}",
        }
        self._send(HTTPStatus.FOUND, b"", known)

    def _send_content(self, path: str, content: bytes, headers: dict[str, str]) -> None:
        if path in self.hub.corrupted:
            content = bytes([content[0] ^ 1]) + content[1:]
        headers |= self.hub.content_headers
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked is None:
            self._send(HTTPStatus.OK, content, headers, cut=True)
            return
        start = int(asked[1])
        self.hub.ranges.append(start)
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(HTTPStatus.PARTIAL_CONTENT, content[start:], headers, cut=True)

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self._send(status, b"{}", headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut and len(body) >= self.hub.lfs_from_bytes:
            self._send_with_trouble(body)
        else:
            self.wfile.write(body)

    def _send_with_trouble(self, body: bytes) -> None:
        if self.hub.cut_after_bytes:
            self.wfile.write(body[: self.hub.cut_after_bytes.pop(0)])
            self.close_connection = True
            return
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        if self.hub.gate is not None:
            self.hub.gate.wait(timeout=60)
        self.wfile.write(body[half:])
