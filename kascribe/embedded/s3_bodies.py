"""A request's body as plain bytes, whatever encoding the client used."""

import re
from email.message import Message
from http import HTTPStatus
from typing import Final

from kascribe.embedded.ports import Reader, Stream
from kascribe.embedded.versions import S3Error

LINE_BYTES: Final = 4_096
STREAMED: Final = "STREAMING-"
"""The beginning of x-amz-content-sha256 for a body that a client signs chunk by chunk."""


def body_of(headers: Message, stream: Stream) -> Reader:
    """Return a request's body: of a given length, in chunks of HTTP, and in chunks that AWS clients sign."""
    length = headers.get("Content-Length", "0")
    is_chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
    body = Chunked(stream) if is_chunked else Limited(stream, int(length) if length.isdecimal() else 0)
    return Chunked(body) if headers.get("x-amz-content-sha256", "").startswith(STREAMED) else body


class Limited:
    """A given number of bytes of a stream. Raises S3Error when there are fewer."""

    def __init__(self, stream: Stream, size_bytes: int) -> None:
        self._stream = stream
        self.left_bytes = size_bytes

    def read(self, size: int, /) -> bytes:
        """Read at most so many bytes; none at the end."""
        piece = self._stream.read(min(size, self.left_bytes)) if self.left_bytes else b""
        if self.left_bytes and not piece:
            raise _incomplete()
        self.left_bytes -= len(piece)
        return piece

    def readline(self, limit: int, /) -> bytes:
        """Read one line, at most so many bytes of it."""
        line = self._stream.readline(min(limit, self.left_bytes))
        self.left_bytes -= len(line)
        return line


class Chunked:
    """A body in chunks that begin with their size in hexadecimal: HTTP's own, and those that AWS clients sign."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._left_bytes = 0
        self._is_over = False

    def read(self, size: int, /) -> bytes:
        """Read at most so many bytes; none at the end, when the body has been consumed with its trailers."""
        if self._is_over:
            return b""
        if not self._left_bytes:
            self._left_bytes = self._next_size()
            if not self._left_bytes:
                self._is_over = True
                while self._line():
                    pass  # trailers: checksums that TCP on loopback does not need
                return b""
        piece = self._stream.read(min(size, self._left_bytes))
        if not piece:
            raise _incomplete()
        self._left_bytes -= len(piece)
        if not self._left_bytes:
            self._line()
        return piece

    def readline(self, limit: int, /) -> bytes:
        """Read one line, for chunks within chunks."""
        line = b""
        while not line.endswith(b"\n") and len(line) < limit and (byte := self.read(1)):
            line += byte
        return line

    def _next_size(self) -> int:
        size = self._line().partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,12}", size):
            raise _incomplete()
        return int(size, 16)

    def _line(self) -> bytes:
        return self._stream.readline(LINE_BYTES).strip()


def _incomplete() -> S3Error:
    return S3Error(HTTPStatus.BAD_REQUEST, "IncompleteBody", "the body ends too early")
