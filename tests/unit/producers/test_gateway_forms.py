"""Forms as clients send them, read without a server."""

import asyncio
import io

import pytest
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from producers.gateway.access.caller import ANYONE
from producers.gateway.failures import RequestRefused
from producers.gateway.forms.body import FIELD_BYTES, UNNAMED_FILE, opened_form
from producers.gateway.forms.requests import job_request_of, upload_in
from producers.gateway.interactive.job_request import JobRequest
from producers.gateway.monitoring.tracing import TraceMiddleware
from schemas.options import EnrichOptions, TranscribeOptions

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


def asked_of(
    headers: list[tuple[bytes, bytes]], form: FormData, file: UploadFile, *, enriching: bool
) -> JobRequest:
    """Return the job request of a request with these headers."""
    asked: list[JobRequest] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(
            job_request_of(
                Request(scope, receive, send), form, file, caller=ANYONE, new_id="new", enriching=enriching
            )
        )

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        pytest.fail(f"answered with {message}")

    asyncio.run(TraceMiddleware(app)({"type": "http", "path": "/", "headers": headers}, receive, send))
    (only,) = asked
    return only


@pytest.mark.parametrize("enriching", [True, False])
def test_a_request_asks_for_what_its_form_and_headers_say(*, enriching: bool) -> None:
    """Of the language model only where that is the request's purpose."""
    described = Headers({"content-type": "audio/wav; x=y"})
    file = UploadFile(io.BytesIO(b"sound"), filename="../calls/a.wav", headers=described)
    fields = {"language": "ko", "tenant": " support ", "profiles": "summary,key_points", "answer_language": "en"}
    headers = [
        (b"idempotency-key", b" call-7 "),
        (b"traceparent", b"00-11111111111111111111111111111111-2222222222222222-01"),
    ]
    asked = asked_of(headers, FormData(fields), file, enriching=enriching)
    assert (asked.file_name, asked.content_type, asked.tenant) == ("a.wav", "audio/wav", "support")
    assert (asked.idempotency_key, asked.is_repeatable, asked.trace.trace_id) == ("call-7", True, "1" * 32)
    assert asked.options == TranscribeOptions(language="ko")
    wishes = EnrichOptions(profiles=("summary", "key_points"), language="en")
    assert asked.enrich == (wishes if enriching else None)


def test_a_request_without_a_key_gets_one_that_nobody_repeats() -> None:
    """Each of them is a job of its own."""
    asked = asked_of([], FormData(), UploadFile(io.BytesIO(b"sound")), enriching=False)
    assert (asked.idempotency_key, asked.is_repeatable) == ("gateway:new", False)
    assert (asked.file_name, asked.content_type, asked.tenant) == (UNNAMED_FILE, None, "default")


@pytest.mark.parametrize(("name", "limit"), [("Idempotency-Key", 512), ("tenant", 128)])
def test_a_name_that_is_too_long_is_refused_with_its_limit(name: str, limit: int) -> None:
    """At the limit it is taken."""
    for length in (limit, limit + 1):
        text = "x" * length
        headers = [(b"idempotency-key", text.encode())] if name == "Idempotency-Key" else []
        form = FormData({"tenant": text} if name == "tenant" else {})
        if length == limit:
            asked = asked_of(headers, form, UploadFile(io.BytesIO(b"sound")), enriching=False)
            assert text in (asked.idempotency_key, asked.tenant)
            continue
        with pytest.raises(RequestRefused, match=f"{name} is limited to {limit} characters; this has {length}"):
            job_request_of(
                Request({"type": "http", "headers": headers}),
                form,
                UploadFile(io.BytesIO(b"sound")),
                caller=ANYONE,
                new_id="new",
                enriching=False,
            )
