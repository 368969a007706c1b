"""A request's body, with limits on its size, its parts and the time without bytes."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import Message, Receive

from producers.gateway.failures import RequestRefused
from schemas.errors import Reason

STALL_SECONDS: Final = 30.0
"""Longest wait for the next bytes of a body; the whole upload has no time limit."""

FORM_BYTES: Final = 1024**2
"""Limit of the rest of a form beside its file: boundaries, headers, fields."""

FIELD_BYTES: Final = 64 * 1024
FIELDS: Final = 64
FILES: Final = 4

FILE_FIELD: Final = "file"
UNNAMED_FILE: Final = "upload"
"""The name of a file that came without one."""

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

DISCARD_BYTES: Final = 64 * 1024**2
DISCARD_SECONDS: Final = 5.0
"""Limits for reading the rest of a refused body: clients that send first and read later get the answer."""


@dataclass(slots=True)
class BoundedBody:
    """A ``receive`` that refuses a body which is too large or stalls."""

    receive: Receive
    limit_bytes: int
    received_bytes: int = 0
    is_complete: bool = False

    async def __call__(self) -> Message:
        """Return the next message of the body. Raises RequestRefused."""
        try:
            async with asyncio.timeout(STALL_SECONDS):
                message = await self.receive()
        except TimeoutError:
            raise RequestRefused(
                HTTPStatus.REQUEST_TIMEOUT, "upload_stalled", f"nothing came for {STALL_SECONDS:.0f} s"
            ) from None
        self.received_bytes += len(message.get("body", b""))
        self.is_complete = not message.get("more_body", False)
        if self.received_bytes > self.limit_bytes + FORM_BYTES:
            raise too_large(self.limit_bytes)
        return message

    async def discard(self) -> None:
        """Read and drop the rest of the body, up to a limit."""
        discarded_bytes = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_SECONDS):
                while not self.is_complete and discarded_bytes < DISCARD_BYTES:
                    message = await self.receive()
                    discarded_bytes += len(message.get("body", b""))
                    self.is_complete = not message.get("more_body", False)


@asynccontextmanager
async def opened_form(request: Request, *, limit_bytes: int) -> AsyncIterator[FormData]:
    """Parse a request's form; files are spooled to disk, beyond their first megabyte, until the context ends.

    Raises RequestRefused above the limit, for a client that stalls and when the disk is full, HTTPException for a
    broken form.
    """
    body = BoundedBody(request.receive, limit_bytes)
    length = request.headers.get("content-length", "")
    try:
        if length.isdecimal() and int(length) > limit_bytes + FORM_BYTES:
            # A client with "Expect: 100-continue" has not begun to send, and need not.
            body.is_complete = "expect" in request.headers
            raise too_large(limit_bytes)
        form = await _parsed(Request(request.scope, body))
    except (RequestRefused, HTTPException):
        await body.discard()
        raise
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        await body.discard()
        raise _no_room() from error
    try:
        yield form
    finally:
        await form.close()


class _Parser(MultiPartParser):
    """Treats the part called ``file`` as a file even without a file name, as ``curl -F "file=<a.wav"`` sends it.

    A part without a file name would otherwise be a text field, with the limit of one.
    """

    def on_headers_finished(self) -> None:
        """Name the part's file, before the parser decides what the part is."""
        _, options = parse_options_header(self._current_part.content_disposition)
        if options.get(b"name") == FILE_FIELD.encode() and b"filename" not in options:
            self._current_part.content_disposition = (
                f'form-data; name="{FILE_FIELD}"; filename="{UNNAMED_FILE}"'.encode()
            )
        super().on_headers_finished()


async def _parsed(request: Request) -> FormData:
    content_type, _ = parse_options_header(request.headers.get("content-type"))
    if content_type != b"multipart/form-data":
        # No other body has a file beside its fields; a form of fields alone would be read into memory.
        raise file_missing()
    try:
        async with aclosing(request.stream()) as stream:
            parser = _Parser(
                request.headers, stream, max_files=FILES, max_fields=FIELDS, max_part_size=FIELD_BYTES
            )
            return await parser.parse()
    except MultiPartException as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, error.message) from error


def file_missing() -> RequestRefused:
    """Return the refusal of a request without audio, or with audio that is not in a form."""
    return RequestRefused(
        HTTPStatus.BAD_REQUEST,
        "file_missing",
        'send the audio as the form field "file" (multipart/form-data): curl -F "file=@audio.wav"',
    )


def _no_room() -> RequestRefused:
    return RequestRefused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "disk_full",
        "the gateway's temporary directory (TMPDIR) has no room for the upload; try again later",
    )


def too_large(limit_bytes: int) -> RequestRefused:
    """Return the refusal of an upload above the limit."""
    return RequestRefused.because(
        Reason.AUDIO_TOO_LARGE,
        f"uploads are limited to {limit_bytes:,} bytes (KASCRIBE_GATEWAY_UPLOAD_LIMIT_BYTES); "
        "put larger files in the bucket and publish a reference",
    )
