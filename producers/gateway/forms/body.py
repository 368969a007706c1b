"""Forms with a file: limits on their size and parts, and the file on its way to the bucket."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import Message, Receive

from producers.gateway.connections.spool import SpooledFile, Upload, spool_of
from producers.gateway.failures import RequestRefused
from schemas.errors import Reason

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
    """A ``receive`` that refuses a body which is too large. Its pace is limited by ``connections.bodies``."""

    receive: Receive
    limit_bytes: int
    received_bytes: int = 0
    is_complete: bool = False

    async def __call__(self) -> Message:
        """Return the next message of the body. Raises RequestRefused."""
        message = await self.receive()
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
    """Parse a request's form; its files are in the spool until the context ends.

    Raises RequestRefused above the limit, for a client that stalls and when there is no room, HTTPException for a
    broken form.
    """
    body = BoundedBody(request.receive, limit_bytes)
    length = request.headers.get("content-length", "")
    declared_bytes = int(length) if length.isdecimal() else 0
    with ExitStack() as held:
        try:
            if declared_bytes > limit_bytes + FORM_BYTES:
                raise too_large(limit_bytes)
            upload = held.enter_context(spool_of(request.scope).upload(declared_bytes))
            form = await _parsed(Request(request.scope, body), upload)
        except (RequestRefused, HTTPException):
            # A client with "Expect: 100-continue" has not begun to send, and need not.
            body.is_complete |= not body.received_bytes and "expect" in request.headers
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

    A part without a file name would otherwise be a text field, with the limit of one. Files count in the spool.
    """

    upload: Upload

    def on_headers_finished(self) -> None:
        """Name the part's file, before the parser decides what the part is."""
        _, options = parse_options_header(self._current_part.content_disposition)
        if options.get(b"name") == FILE_FIELD.encode() and b"filename" not in options:
            self._current_part.content_disposition = (
                f'form-data; name="{FILE_FIELD}"; filename="{UNNAMED_FILE}"'.encode()
            )
        super().on_headers_finished()
        if self._current_part.file is not None:
            self._current_part.file.file = self._spooled()  # type: ignore[assignment] # as starlette does

    def _spooled(self) -> SpooledFile:
        """Return a file of the spool instead of the empty one that the parser has opened."""
        file = self.upload.open_file()
        self._files_to_close_on_error.pop().close()
        self._files_to_close_on_error.append(file)
        return file


async def _parsed(request: Request, upload: Upload) -> FormData:
    content_type, _ = parse_options_header(request.headers.get("content-type"))
    if content_type != b"multipart/form-data":
        # No other body has a file beside its fields; a form of fields alone would be read into memory.
        raise file_missing()
    try:
        async with aclosing(request.stream()) as stream:
            parser = _Parser(
                request.headers, stream, max_files=FILES, max_fields=FIELDS, max_part_size=FIELD_BYTES
            )
            parser.upload = upload
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
