"""What a request's body may cost: its size, its parts, and the client's silence."""

import asyncio
import errno
import itertools
from collections.abc import Iterable
from http import HTTPStatus
from typing import IO, Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from producers.gateway.failures import RequestRefused
from producers.gateway.forms import body as body_module
from producers.gateway.forms.body import (
    FIELD_BYTES,
    FIELDS,
    FILES,
    FORM_BYTES,
    BoundedBody,
    opened_form,
    too_large,
)

LIMIT = 1_000
ALL = LIMIT + FORM_BYTES


class Sender:
    """A client: what it sends, and then silence. ``taken`` counts the messages that were read."""

    def __init__(self, bodies: Iterable[bytes], *, ends: bool = True) -> None:
        messages = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
        if ends:
            messages[-1]["more_body"] = False
        self._left = iter(messages)
        self.taken = 0

    async def receive(self) -> Message:
        """As ASGI servers do."""
        message = next(self._left, None)
        if message is None:
            await asyncio.Event().wait()
            raise AssertionError("nobody ever sets it")
        self.taken += 1
        return message


def form(*parts: tuple[str, str, bytes]) -> bytes:
    """Build a multipart body; a part is its name, the rest of its header, and its content."""
    written = [
        b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (name.encode(), more.encode(), content)
        for name, more, content in parts
    ]
    return b"".join(written) + b"--b--\r\n"


def files(count: int) -> bytes:
    """Build a form of files with one byte each."""
    return form(*[(f"f{number}", '; filename="a"', b"x") for number in range(count)])


async def opened(sender: Sender, *, limit_bytes: int = LIMIT, **headers: str) -> dict[str, Any]:
    """Read the form that the client sends, within five seconds."""
    given = {"content-type": "multipart/form-data; boundary=b", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    # With an application in its scope, starlette turns what is wrong with a form into an HTTPException.
    scope = {"type": "http", "method": "POST", "headers": raw, "app": None}
    async with asyncio.timeout(5), opened_form(Request(scope, sender.receive), limit_bytes=limit_bytes) as read:
        return dict(read)


def refused(sender: Sender, **given: Any) -> RequestRefused:
    """Why."""
    with pytest.raises(RequestRefused) as why:
        asyncio.run(opened(sender, **given))
    return why.value


def test_a_form_comes_as_it_was_sent() -> None:
    """In pieces or at once."""
    sent = form(("language", "", b"ko"), ("file", '; filename="a.wav"', b"audio"))
    for pieces in ([sent], [sent[start : start + 7] for start in range(0, len(sent), 7)]):
        read = asyncio.run(opened(Sender(pieces)))
        assert read["language"] == "ko"
        assert (read["file"].filename, read["file"].size) == ("a.wav", 5)


def test_a_body_without_a_length_is_refused_as_soon_as_it_exceeds_the_limit() -> None:
    """It is measured while it comes: what follows is not kept, and the message names the setting."""
    body = form(("file", '; filename="a"', bytes(ALL)))
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    endless = Sender(itertools.chain(pieces, [bytes(65_536)] * 4), ends=True)
    why = refused(endless)
    assert (why.status, why.reason) == (413, "audio_too_large")
    assert "1,000 bytes (KASCRIBE_GATEWAY_UPLOAD_LIMIT_BYTES)" in str(why)


def test_the_limit_itself_is_allowed_and_a_byte_more_is_not() -> None:
    """The form around the file has a megabyte of its own."""

    async def read(count: int) -> BoundedBody:
        bounded = BoundedBody(Sender([b"x" * (count - 10), b"y" * 10]).receive, LIMIT)
        while not bounded.is_complete:
            await bounded()
        return bounded

    allowed = asyncio.run(read(ALL))
    assert (allowed.received_bytes, allowed.is_complete) == (ALL, True)
    with pytest.raises(RequestRefused) as why:
        asyncio.run(read(ALL + 1))
    assert why.value.reason == "audio_too_large"


def test_what_was_announced_too_long_is_refused_before_it_is_read_as_a_form() -> None:
    """What is sent all the same is read and forgotten, so that the client sees the answer."""
    body = form(("file", '; filename="a"', bytes(ALL)))
    sender = Sender([body[:1_000], body[1_000:2_000], body[2_000:]])
    why = refused(sender, content_length=str(ALL + 1))
    assert (why.status, why.reason) == (413, "audio_too_large")
    assert sender.taken == 3


def test_what_was_announced_within_the_limit_is_read() -> None:
    """To the last byte of it; a length that is no number is not believed."""
    sent = form(("language", "", b"ko"))
    for announced in (str(ALL), "many"):
        assert asyncio.run(opened(Sender([sent]), content_length=announced)) == {"language": "ko"}


def test_a_client_that_asked_first_need_not_send() -> None:
    """It waits for the answer, so nothing is waited for."""
    sender = Sender([b"x"])
    assert refused(sender, content_length=str(ALL + 1), expect="100-continue").reason == "audio_too_large"
    assert sender.taken == 0


def test_what_is_forgotten_has_limits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that never ends, or falls silent, gets its answer all the same."""
    monkeypatch.setattr(body_module, "DISCARD_BYTES", 3_000)
    monkeypatch.setattr(body_module, "DISCARD_SECONDS", 0.05)
    endless = Sender([bytes(1_000)] * 50)
    assert refused(endless, content_length=str(ALL + 1)).reason == "audio_too_large"
    assert endless.taken == 3
    silent = Sender([bytes(10)], ends=False)
    assert refused(silent, content_length=str(ALL + 1)).reason == "audio_too_large"


def test_a_broken_form_is_read_to_its_end() -> None:
    """400, once the client has sent what it had to send."""
    sender = Sender([b"no form at all", b"at all", b"!"])
    with pytest.raises(HTTPException) as why:
        asyncio.run(opened(sender))
    assert why.value.status_code == HTTPStatus.BAD_REQUEST
    assert sender.taken == 3


def test_a_form_may_have_so_many_parts_and_no_more() -> None:
    """Each limit by itself, at its edge."""
    fields = [(f"n{number}", "", b"v") for number in range(FIELDS)]
    allowed = [form(*fields), files(FILES), form(("n", "", b"v" * FIELD_BYTES))]
    for sent in allowed:
        assert asyncio.run(opened(Sender([sent])))
    more = [form(*fields, ("one", "", b"v")), files(FILES + 1), form(("n", "", b"v" * (FIELD_BYTES + 1)))]
    for sent in more:
        with pytest.raises(HTTPException):
            asyncio.run(opened(Sender([sent])))


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, RequestRefused), (errno.EDQUOT, RequestRefused), (errno.EIO, OSError)]
)
def test_a_full_disk_is_the_gateway_s_trouble_and_another_error_a_mistake(
    monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    """503 that names the directory; the body is read to its end; what else fails is not dressed up."""

    def failing(*_: object, **__: object) -> IO[bytes]:
        raise OSError(number, "no")

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", failing)
    sender = Sender([form(("file", '; filename="a"', b"x")), b"", b""])
    with pytest.raises(expected) as why:
        asyncio.run(opened(sender))
    if isinstance(why.value, RequestRefused):
        assert (why.value.status, why.value.reason) == (503, "disk_full")
        assert "(TMPDIR) has no room" in str(why.value)
        assert sender.taken == 3


def test_what_was_spooled_is_gone_with_the_request() -> None:
    """Files wait on disk only while the request is worked on."""

    async def held() -> IO[bytes]:
        sender = Sender([form(("file", '; filename="a"', b"x"))])
        headers = [(b"content-type", b"multipart/form-data; boundary=b")]
        request = Request({"type": "http", "method": "POST", "headers": headers}, sender.receive)
        async with opened_form(request, limit_bytes=LIMIT) as read:
            file = read["file"]
            assert not isinstance(file, str)
            assert not file.file.closed
        return file.file

    assert asyncio.run(held()).closed


def test_the_refusal_says_what_to_do_instead() -> None:
    """With the limit as a number that people can read."""
    message = str(too_large(2_000_000))
    assert message.startswith("uploads are limited to 2,000,000 bytes (KASCRIBE_GATEWAY_UPLOAD_LIMIT_BYTES); ")
    assert message.endswith("put larger files in the bucket and publish a reference")
