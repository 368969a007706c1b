"""The event stream at its edges: waits without text, text that another attempt contradicts, and defects."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from producers.gateway.interactive.answers import OnProgress
from producers.gateway.interactive.job_request import JobAnswer
from producers.gateway.openai import event_stream
from producers.gateway.openai.event_stream import Answering, TranscriptionStream
from schemas.errors import AudioUndecodable
from schemas.events import Phase, ProgressEvent
from tests.support.kept import NOW, event_of

SCOPE = {"type": "http", "path": "/v1/audio/transcriptions"}


def heard(text: str, offset: int | None) -> ProgressEvent:
    """Return an event with text."""
    return ProgressEvent(
        event_id="e",
        occurred_at=NOW,
        job_id="j",
        phase=Phase.TRANSCRIBING,
        stage="transcriber",
        text=text,
        text_offset=offset,
    )


def answer(text: str) -> JobAnswer:
    """Return a job's answer."""
    return JobAnswer(event_of("j", text=text, name="a.wav"), text, None)


class Exchange:
    """One response, as a server would send it. ``leave`` disconnects the client."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self.closed = False
        self._arrived = asyncio.Event()

    async def run(self, answering: Answering) -> None:
        """Send the response of a job."""
        opened = AsyncExitStack()
        opened.callback(self._close)
        request = Request(SCOPE, self._receive)
        await TranscriptionStream(request, answering, opened)(dict(SCOPE), self._receive, self._send)

    async def until(self, condition: Callable[[str], bool]) -> None:
        """Wait until what was sent fulfils a condition."""
        async with asyncio.timeout(20):
            while not condition(self.body):
                self._arrived.clear()
                await self._arrived.wait()

    @property
    def body(self) -> str:
        """All that was sent."""
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that were sent."""
        lines = self.body.splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    def _close(self) -> None:
        self.closed = True

    async def _receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        self._arrived.set()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "START_SECONDS", 0.01)
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.01)


def test_a_job_without_text_keeps_its_connection_alive() -> None:
    """By comments, which clients ignore; the type and the headers say that events follow, unbuffered."""

    async def story() -> None:
        exchange, finished = Exchange(), asyncio.Event()

        async def answering(_: OnProgress) -> JobAnswer:
            await finished.wait()
            return answer("one two")

        running = asyncio.create_task(exchange.run(answering))
        await exchange.until(lambda body: body.count(": the job continues\n\n") >= 2)
        finished.set()
        await running
        start, *_, last = exchange.sent
        headers = dict(start["headers"])
        assert headers[b"content-type"].startswith(b"text/event-stream")
        assert headers[b"cache-control"] == b"no-cache"
        assert b"content-length" not in headers
        assert last["more_body"] is False
        assert [event["type"] for event in exchange.events] == ["transcript.text.delta", "transcript.text.done"]
        assert exchange.closed

    asyncio.run(story())


def test_text_that_was_not_reported_in_full_is_sent_at_the_end() -> None:
    """A gap stops the deltas; the last one has the rest, whatever is missing."""

    async def story() -> None:
        exchange = Exchange()

        async def answering(on_progress: OnProgress) -> JobAnswer:
            on_progress(heard("one", 0))
            on_progress(heard("three", 8))
            on_progress(heard("unplaced", None))
            return answer("one two three")

        await exchange.run(answering)
        *deltas, done = exchange.events
        assert "".join(event["delta"] for event in deltas) == done["text"] == "one two three"

    asyncio.run(story())


def test_where_attempts_differ_the_end_has_the_text_that_counts() -> None:
    """Another model has heard other words: what was sent stays, and nothing is added to it."""

    async def story() -> None:
        exchange = Exchange()

        async def answering(on_progress: OnProgress) -> JobAnswer:
            on_progress(heard("won two", 0))
            on_progress(heard("one two", 0))
            return answer("one two three")

        await exchange.run(answering)
        assert [event.get("delta") for event in exchange.events] == ["won two", None]
        assert exchange.events[-1]["text"] == "one two three"

    asyncio.run(story())


def test_a_failure_before_the_response_has_started_is_raised() -> None:
    """The application answers it with its status."""

    async def story() -> None:
        exchange = Exchange()

        async def answering(_: OnProgress) -> JobAnswer:
            raise AudioUndecodable("no audio")

        with pytest.raises(AudioUndecodable):
            await exchange.run(answering)
        assert (exchange.sent, exchange.closed) == ([], True)

    asyncio.run(story())


def test_a_defect_breaks_the_stream_and_is_not_hidden() -> None:
    """It is raised, to be logged; the body does not end, so the client knows."""

    async def story() -> None:
        exchange = Exchange()

        async def answering(_: OnProgress) -> JobAnswer:
            await exchange.until(lambda body: "continues" in body)
            raise ZeroDivisionError("a defect")

        with pytest.raises(ZeroDivisionError):
            await exchange.run(answering)
        assert all(message.get("more_body", True) for message in exchange.sent)

    asyncio.run(story())


@pytest.mark.parametrize("has_started", [True, False])
def test_a_client_that_leaves_cancels_the_job(*, has_started: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first byte it is a failure like on other routes; later there is no one to tell."""
    monkeypatch.setattr(event_stream, "START_SECONDS", 0.01 if has_started else 20.0)

    async def story() -> None:
        exchange, cancelled = Exchange(), asyncio.Event()

        async def answering(_: OnProgress) -> JobAnswer:
            try:
                if has_started:
                    await exchange.until(lambda body: "continues" in body)
                exchange.left.set()
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            raise AssertionError("the job goes on")

        if has_started:
            await exchange.run(answering)
        else:
            with pytest.raises(ClientDisconnect):
                await exchange.run(answering)
        assert cancelled.is_set()
        assert exchange.closed

    asyncio.run(story())
