"""S3 over HTTP, the part of it that Kascribe and command-line clients use. Bodies are streamed.

Any credentials are accepted, because the server listens on loopback only. But a request must have some: one that a
web page makes a browser send has none.
"""

import re
import socket
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from kascribe.embedded import s3_listing
from kascribe.embedded.buckets import COPY_BYTES, Buckets
from kascribe.embedded.ports import Reader
from kascribe.embedded.s3_bodies import body_of
from kascribe.embedded.versions import S3Error, Spooled, Version

DOCUMENT_BYTES: Final = 4 * 1024**2
"""Limit of an XML body: 10,000 parts with their digests take one MiB."""

KEPT_HEADERS: Final = (
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "cache-control",
)
NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
DISCARD_BYTES: Final = 64 * 1024**2
DISCARD_SECONDS: Final = 5.0
"""Most bytes read of a refused body, and the longest wait for more of it."""

PART_NUMBERS: Final = range(1, 10_001)
STORAGE_FULL: Final = HTTPStatus.INSUFFICIENT_STORAGE


class S3Server(ThreadingHTTPServer):
    """The server, with one thread per connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], buckets: Buckets) -> None:
        self.buckets = buckets
        super().__init__(address, S3Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an error of a handler, unless its client is gone: the board is drawn on that terminal."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class S3Handler(BaseHTTPRequestHandler):
    """One connection's requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name for it
        """Log nothing: keys are names of users' files."""

    def do_GET(self) -> None:
        """Answer GET, and HEAD with the same answer without a body."""
        with self._errors_answered():
            bucket, key, query = self._parse_request()
            if not bucket:
                self._send_xml(s3_listing.buckets(self._buckets.names()))
            elif key:
                self._send_object(bucket, self._object(bucket, key, query))
            elif self.command == "HEAD" or "location" in query:
                self._buckets.is_versioned(bucket)  # raises for a bucket that does not exist
                self._send_xml(f'<LocationConstraint xmlns="{NAMESPACE}"/>')
            elif "versioning" in query:
                status = "<Status>Enabled</Status>" if self._buckets.is_versioned(bucket) else ""
                self._send_xml(f'<VersioningConfiguration xmlns="{NAMESPACE}">{status}</VersioningConfiguration>')
            elif set(query) <= s3_listing.PARAMETERS:
                self._send_xml(
                    s3_listing.objects(bucket, self._buckets.keys(bucket, query.get("prefix", "")), query)
                )
            else:
                raise _unknown()

    do_HEAD = do_GET  # noqa: N815 - the library's name for it

    def do_PUT(self) -> None:
        """Create buckets, set their versioning, store objects and parts."""
        with self._errors_answered():
            bucket, key, query = self._parse_request()
            if not key and "versioning" in query:
                versioned = b"<Status>Enabled</Status>" in self._document()
                self._buckets.set_versioned(bucket, versioned=versioned)
                self._send(HTTPStatus.OK)
            elif not key and not query:
                self._document()
                self._buckets.create(bucket)
                self._send(HTTPStatus.OK)
            elif not key or "x-amz-copy-source" in self.headers or not set(query) <= {"uploadId", "partNumber"}:
                raise _unknown()
            elif "uploadId" in query:
                number = _part_number(query.get("partNumber", ""))
                spooled = self._spooled()
                self._buckets.put_part(query["uploadId"], number, spooled)
                self._send(HTTPStatus.OK, {"ETag": f'"{spooled.md5}"'})
            else:
                absent = self.headers.get("If-None-Match") == "*"
                version = self._buckets.put(bucket, key, self._spooled(), self._metadata(), only_if_absent=absent)
                self._send(HTTPStatus.OK, self._version_headers(bucket, version))

    def do_POST(self) -> None:
        """Create and complete multipart uploads."""
        with self._errors_answered():
            bucket, key, query = self._parse_request()
            if key and "uploads" in query:
                self._document()
                upload_id = self._buckets.begin(bucket, key, self._metadata())
                self._send_xml(s3_listing.created(bucket, key, upload_id))
            elif key and "uploadId" in query:
                parts = s3_listing.parts_in(self._document())
                absent = self.headers.get("If-None-Match") == "*"
                version = self._buckets.complete(query["uploadId"], parts, only_if_absent=absent)
                self._send_xml(
                    s3_listing.completed(bucket, key, version.etag), self._version_headers(bucket, version)
                )
            else:
                raise _unknown()

    def do_DELETE(self) -> None:
        """Delete objects and versions, and abort uploads."""
        with self._errors_answered():
            bucket, key, query = self._parse_request()
            if not key:
                raise _unknown()
            if "uploadId" in query:
                self._buckets.abort(query["uploadId"])
            else:
                self._buckets.delete(bucket, key, query.get("versionId"))
            self._send(HTTPStatus.NO_CONTENT)

    @property
    def _buckets(self) -> Buckets:
        return cast("S3Server", self.server).buckets

    def _parse_request(self) -> tuple[str, str, dict[str, str]]:
        """Return the request's bucket, key and parameters. Raises S3Error, or ValueError if malformed."""
        url = urlsplit(self.path)
        bucket, _, key = url.path.lstrip("/").partition("/")
        query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        query.pop("x-id", None)  # the name of the operation, which newer clients add
        self._refuse_anonymous(query)
        # A key that is not UTF-8 is refused: no listing could name it.
        return bucket, unquote(key, errors="strict"), query

    @contextmanager
    def _errors_answered(self) -> Iterator[None]:
        """Answer an exception of the context as S3 does."""
        try:
            yield
        except S3Error as error:
            self._send_error(error)
        except ValueError as error:
            self._send_error(S3Error(HTTPStatus.BAD_REQUEST, "InvalidArgument", str(error)))
        except FileNotFoundError:
            self._send_error(S3Error(HTTPStatus.NOT_FOUND, "NoSuchKey", "the object was replaced just now"))
        except ConnectionError:
            self.close_connection = True
        except OSError as error:
            self._send_error(S3Error(STORAGE_FULL, "XMinioStorageFull", str(error)))

    def _refuse_anonymous(self, query: dict[str, str]) -> None:
        if "Authorization" not in self.headers and "X-Amz-Credential" not in query:
            raise S3Error(HTTPStatus.FORBIDDEN, "AccessDenied", "any credentials do, but there must be some")

    def _send_error(self, error: S3Error) -> None:
        # The rest of the body is not a request: the next one would begin in the middle of it.
        self.close_connection = True
        document = f"<Error><Code>{error.code}</Code><Message>{escape(str(error))}</Message></Error>"
        self._send(error.status, {"Content-Type": "application/xml", "Connection": "close"}, document.encode())
        if self.command in ("PUT", "POST"):
            self._discard()

    def _discard(self) -> None:
        """Read the rest of the request until the client closes: a reset would destroy the answer on its way."""
        left_bytes = DISCARD_BYTES
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(DISCARD_SECONDS)
            while left_bytes > 0 and (piece := self.rfile.read(min(left_bytes, COPY_BYTES))):
                left_bytes -= len(piece)

    def _send_xml(self, document: str, headers: dict[str, str] | None = None) -> None:
        whole = b'<?xml version="1.0" encoding="UTF-8"?>\n' + document.encode()
        self._send(HTTPStatus.OK, {**(headers or {}), "Content-Type": "application/xml"}, whole)

    def _send(self, status: HTTPStatus, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self._send_head(status, {**(headers or {}), "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _object(self, bucket: str, key: str, query: dict[str, str]) -> Version:
        if not set(query) <= {"versionId"} and not any(name.startswith("X-Amz-") for name in query):
            raise _unknown()
        version = self._buckets.get(bucket, key, query.get("versionId"))
        wanted = self.headers.get("If-Match", "*").strip('"')
        if wanted not in ("*", version.etag):
            raise S3Error(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed", "the object is another one now")
        return version

    def _send_object(self, bucket: str, version: Version) -> None:
        if version.path is None:
            raise AssertionError("a delete marker has no bytes")
        start, end = self._range(version.size_bytes)
        headers = {
            **version.headers,
            **self._version_headers(bucket, version),
            "Last-Modified": format_datetime(version.modified, usegmt=True),
            "Accept-Ranges": "bytes",
            "Content-Length": str(end - start),
        }
        status = HTTPStatus.OK
        if "Range" in self.headers:
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{version.size_bytes}"
        with version.path.open("rb") as file:
            self._send_head(status, headers)
            if self.command != "HEAD" and end > start:
                self.connection.sendfile(file, start, end - start)

    def _range(self, size_bytes: int) -> tuple[int, int]:
        """Return the requested range as a first byte and an end (exclusive). Raises S3Error."""
        requested = self.headers.get("Range")
        if requested is None:
            return 0, size_bytes
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", requested)
        if match is None or match[0] == "bytes=-":
            raise S3Error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange", "one range of bytes")
        if not match[1]:
            start, end = max(0, size_bytes - int(match[2])), size_bytes
        else:
            start, end = int(match[1]), min(size_bytes, int(match[2]) + 1 if match[2] else size_bytes)
        if start >= size_bytes or end <= start:
            raise S3Error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange", "there are no such bytes")
        return start, end

    def _metadata(self) -> dict[str, str]:
        """Return the headers that are stored with an object: its content type and metadata."""
        names = {name.lower(): value for name, value in self.headers.items()}
        kept = {
            name: value for name, value in names.items() if name in KEPT_HEADERS or name.startswith("x-amz-meta-")
        }
        if "content-encoding" in kept:
            kept["content-encoding"] = re.sub(r"\s*aws-chunked\s*,?", "", kept["content-encoding"])
        return {"content-type": "binary/octet-stream", **{name: value for name, value in kept.items() if value}}

    def _version_headers(self, bucket: str, version: Version) -> dict[str, str]:
        versioned = {"x-amz-version-id": version.version_id} if self._buckets.is_versioned(bucket) else {}
        return {"ETag": f'"{version.etag}"', **versioned}

    def _body(self) -> Reader:
        return body_of(self.headers, self.rfile)

    def _spooled(self) -> Spooled:
        spooled = self._buckets.spool(self._body())
        expected = self.headers.get("Content-MD5")
        if expected not in (None, b64encode(bytes.fromhex(spooled.md5)).decode()):
            spooled.path.unlink()
            raise S3Error(HTTPStatus.BAD_REQUEST, "BadDigest", "the body is not what Content-MD5 says")
        return spooled

    def _document(self) -> bytes:
        body, document = self._body(), b""
        while piece := body.read(DOCUMENT_BYTES):
            document += piece
            if len(document) > DOCUMENT_BYTES:
                raise S3Error(HTTPStatus.BAD_REQUEST, "EntityTooLarge", "the document is too large")
        return document


def _part_number(text: str) -> int:
    number = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0
    if number not in PART_NUMBERS:
        raise S3Error(HTTPStatus.BAD_REQUEST, "InvalidArgument", "partNumber is a number from 1 to 10,000")
    return number


def _unknown() -> S3Error:
    return S3Error(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", "the embedded object store does not know this")
