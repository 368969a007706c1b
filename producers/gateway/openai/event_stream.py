"""A transcription as server-sent events, while it is made: ``transcript.text.delta`` … ``transcript.text.done``.

Each event is one ``data:`` line of JSON with its ``type``, as OpenAI sends them. The deltas, put together, are the
beginning of the final text, and with the last one all of it; see ``schemas.transcripts.text_so_far``. Only where
two attempts at a job have heard different words, as with another model, do they differ from the text of ``done``,
which is then the one that counts.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from producers.gateway.failures import EXPECTED_FAILURES, as_refused
from producers.gateway.interactive.answers import OnProgress
from producers.gateway.interactive.job_request import JobAnswer
from producers.gateway.openai.error_object import error_object
from producers.gateway.routes.disconnects import while_connected
from schemas.events import ProgressEvent
from schemas.transcripts.exports import usage
from schemas.transcripts.text_so_far import TextSoFar

START_SECONDS: Final = 5.0
"""Longest wait for the first text before the status is sent: a failure until then has a status of its own."""

KEEP_ALIVE_SECONDS: Final = 15.0
"""Between comments while there is no text, so that proxies keep the connection."""

HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

Answering = Callable[[OnProgress], Coroutine[None, None, JobAnswer]]


class TranscriptionStream(Response):
    """The response. ``answering`` begins the job once the response is sent, and observes it.

    ``closing`` is closed with the response. A client that disconnects cancels the job.
    """

    media_type = "text/event-stream"

    def __init__(self, request: Request, answering: Answering, closing: AsyncExitStack) -> None:
        super().__init__(headers=HEADERS)
        self._request = request
        self._answering = answering
        self._closing = closing
        self._has_started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI's signature)
        """Send the events. Raises the failure of a job that ends before the response has started."""
        async with self._closing:
            try:
                await while_connected(self._request, self._send_all(send))
            except ClientDisconnect:
                if not self._has_started:
                    raise

    async def _send_all(self, send: Send) -> None:
        deltas = _Deltas()
        answering = asyncio.create_task(self._answering(deltas.on_progress))
        try:
            await deltas.wait(answering, START_SECONDS)
            if answering.done():
                answering.result()
            await self._start(send)
            while not answering.done():
                await send(_part(deltas.take() or KEEP_ALIVE))
                await deltas.wait(answering, KEEP_ALIVE_SECONDS)
            await send(_part(deltas.take() + _end_of(answering, deltas), more=False))
        finally:
            if answering.cancel():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({answering})

    async def _start(self, send: Send) -> None:
        self._has_started = True
        # Without the length that a response of known size has.
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})


@dataclass(slots=True)
class _Deltas:
    """The text of the job so far, and the part of it that has not been sent."""

    text: TextSoFar = field(default_factory=TextSoFar)
    unsent: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_progress(self, event: ProgressEvent) -> None:
        """Take the text of an event."""
        new = self.text.add(event.text, event.text_offset)
        if new:
            self.unsent += new
            self.changed.set()

    async def wait(self, answering: "asyncio.Task[JobAnswer]", timeout_seconds: float) -> None:
        """Wait for text, for the end of the job, or so long."""
        if self.unsent:
            return
        changing = asyncio.create_task(self.changed.wait())
        try:
            await asyncio.wait({answering, changing}, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changing.cancel()

    def take(self) -> bytes:
        """Return the event with the unsent text; nothing if there is none."""
        delta, self.unsent = self.unsent, ""
        self.changed.clear()
        return delta_event(delta) if delta else b""


KEEP_ALIVE: Final = b": the job continues\n\n"
"""A comment, which clients ignore (HTML standard, section 9.2.6)."""


def delta_event(delta: str) -> bytes:
    """Return the event with further text."""
    return sent_event({"type": "transcript.text.delta", "delta": delta})


def sent_event(fields: Mapping[str, Any]) -> bytes:
    """Return an event as it is sent. JSON has no line feeds, so it is one line."""
    return f"data: {json.dumps(fields, ensure_ascii=False)}\n\n".encode()


def _end_of(answering: "asyncio.Task[JobAnswer]", deltas: _Deltas) -> bytes:
    """Return the rest of the text and its end, or the failure. Raises a defect."""
    try:
        answer = answering.result()
    except EXPECTED_FAILURES as error:
        failed = as_refused(error)
        found = error_object(failed.status, failed.reason, failed.message, param=failed.param)
        return sent_event({"type": "error", **found})
    rest = deltas.text.rest_of(answer.text)
    used = usage(answer.transcript.audio_duration_seconds)
    done = sent_event({"type": "transcript.text.done", "text": answer.text, "usage": used})
    return (delta_event(rest) if rest else b"") + done


def _part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
