"""Forms as clients send them, read without a server."""

import asyncio

import pytest
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.types import Message

from producers.gateway.body import FIELD_BYTES, UNNAMED_FILE, opened_form
from producers.gateway.failures import RequestRefused
from producers.gateway.requests import upload_in

LIMIT_BYTES = 1024**2
AUDIO = bytes(range(256)) * (FIELD_BYTES // 64)


def uploaded(disposition: str) -> tuple[str | None, str | None, bytes]:
    """Name, type and bytes of a form's file, whose part is described so; the body comes in pieces."""
    head = f"--b\r\nContent-Disposition: {disposition}\r\nContent-Type: audio/wav\r\n\r\n".encode()
    body = head + AUDIO + b'\r\n--b\r\nContent-Disposition: form-data; name="language"\r\n\r\nko\r\n--b--\r\n'
    pieces = [body[start : start + 10_000] for start in range(0, len(body), 10_000)]

    async def receive() -> Message:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def read() -> tuple[str | None, str | None, bytes]:
        headers = [(b"content-type", b"multipart/form-data; boundary=b")]
        request = Request({"type": "http", "headers": headers}, receive)
        async with opened_form(request, limit_bytes=LIMIT_BYTES) as form:
            assert form["language"] == "ko"
            file = upload_in(form, limit_bytes=LIMIT_BYTES)
            assert isinstance(file, UploadFile)
            return file.filename, file.content_type, await file.read()

    return asyncio.run(read())


def test_a_file_has_the_name_that_its_client_gives_it() -> None:
    """And the type, and every byte."""
    assert uploaded('form-data; name="file"; filename="call.wav"') == ("call.wav", "audio/wav", AUDIO)


def test_a_file_without_a_name_is_a_file_all_the_same() -> None:
    """Also one that is larger and other than a text field may be: curl sends it so from standard input."""
    assert uploaded('form-data; name="file"') == (UNNAMED_FILE, "audio/wav", AUDIO)
    assert uploaded("form-data; name=file") == (UNNAMED_FILE, "audio/wav", AUDIO)


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "audio/wav", None])
def test_audio_that_is_not_in_a_form_is_refused_before_it_is_read(content_type: str | None) -> None:
    """As ``curl --data-binary @call.wav`` sends it: the answer says how to, and no byte of it is kept."""

    async def receive() -> Message:
        return {"type": "http.request", "body": AUDIO, "more_body": False}

    async def read() -> None:
        headers = [(b"content-type", content_type.encode())] if content_type else []
        async with opened_form(Request({"type": "http", "headers": headers}, receive), limit_bytes=LIMIT_BYTES):
            pytest.fail("there is no form")

    with pytest.raises(RequestRefused, match=r'curl -F "file=@audio\.wav"') as refused:
        asyncio.run(read())
    assert (refused.value.status, refused.value.reason) == (400, "file_missing")
