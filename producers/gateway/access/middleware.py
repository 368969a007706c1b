"""Resolves the caller of each request before its route runs, and holds its share of the key's limits."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import Final, Literal

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.api_keys.key import ApiKey
from producers.gateway.access.caller import ANYONE, Caller, set_caller
from producers.gateway.access.credentials import key_missing
from producers.gateway.access.gate import Gate
from producers.gateway.access.public import is_public
from producers.gateway.access.sessions import with_session
from producers.gateway.failures import RequestRefused, refusal
from producers.gateway.forms.body import BoundedBody
from schemas.errors import DependencyDown

RECHECK_SECONDS: Final = 5.0
"""Between looks at the key of an open event stream: it ends when the key is revoked."""

STREAM_PATH: Final = "/events"
"""The end of the paths whose GET is a stream of server-sent events, open for as long as the client likes."""


class AccessMiddleware:
    """Puts the caller into the scope, where ``caller_of`` finds it.

    Where keys are in use, a request without one that is accepted is refused here, whatever its route.
    """

    def __init__(self, app: ASGIApp, *, keys: Literal["off", "required"]) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._keys == "off":
            set_caller(scope, ANYONE)
            await self._app(scope, receive, send)
        elif is_public(scope["path"], method=scope["method"]):
            set_caller(scope, key_missing())
            await self._app(scope, receive, send)
        else:
            await self._with_key(scope, receive, send)

    async def _with_key(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate: Gate = scope["app"].state.services.gate
        headers = with_session(Headers(scope=scope), method=scope["method"])
        with ExitStack() as held:
            try:
                key = await gate.key_of(headers, address=(scope.get("client") or ("",))[0])
                await gate.usage.ready(key)
                limit_headers = held.enter_context(gate.limits.slot(key, is_stream=_is_stream(scope)))
                body = held.enter_context(gate.usage.body(key, receive, announced_bytes=_content_length(headers)))
            except (RequestRefused, DependencyDown) as refused:
                await _refuse(refused, scope, receive, send)
                return
            set_caller(scope, _caller(key))
            answer = _Answer(send, limit_headers, on_last=held.close)
            if _is_stream(scope):
                await self._app(scope, _until_refused(receive, lambda: gate.is_accepted(headers)), answer)
                await answer.finish()
            else:
                await self._app(scope, body, answer)


class _Answer:
    """A ``send`` that adds headers, and can end an answer that its route left.

    ``on_last`` is called before the last piece is sent: a client that has it may send its next request at once,
    and finds its slot free.
    """

    def __init__(self, send: Send, headers: dict[str, str], *, on_last: Callable[[], None]) -> None:
        self._send = send
        self._headers = headers
        self._on_last = on_last
        self._is_open = False

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(self._headers)
        self._is_open = message["type"] == "http.response.start" or message.get("more_body", False)
        if not self._is_open:
            self._on_last()
        await self._send(message)

    async def finish(self) -> None:
        """End the answer, if it has begun and not ended: an event stream whose key was revoked."""
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _until_refused(receive: Receive, is_accepted: Callable[[], Awaitable[bool]]) -> Receive:
    """Return a ``receive`` that reports a disconnect when the key is no longer accepted."""

    async def receive_while_accepted() -> Message:
        while True:
            try:
                async with asyncio.timeout(RECHECK_SECONDS):
                    return await receive()
            except TimeoutError:
                try:
                    if not await is_accepted():
                        return {"type": "http.disconnect"}
                except DependencyDown:
                    continue

    return receive_while_accepted


async def _refuse(refused: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, and read some of the body: a client that sends first and reads later gets the answer."""
    headers = Headers(scope=scope)
    if "expect" not in headers and (_content_length(headers) or "transfer-encoding" in headers):
        await BoundedBody(receive, 0).discard()
    answer = await refusal(Request(scope), refused)
    await answer(scope, receive, send)


def _caller(key: ApiKey) -> Caller:
    return Caller(key.tenant, frozenset(key.rights), key=key)


def _is_stream(scope: Scope) -> bool:
    return scope["method"] == "GET" and str(scope["path"]).endswith(STREAM_PATH)


def _content_length(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0
