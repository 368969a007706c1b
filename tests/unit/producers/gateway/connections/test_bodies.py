"""What a client may take for its body: silence, pace and size."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.types import Message

from producers.gateway.connections import bodies
from producers.gateway.connections.bodies import PACE_SECONDS, PacedBody
from producers.gateway.connections.refusals import Refusal, Refusals
from producers.gateway.failures import RequestRefused
from tests.support.clock import HandClock

RATE = 1_000


class Client:
    """Sends bytes, each after some seconds by the clock; then nothing."""

    def __init__(self, pieces: Iterable[tuple[int, float]], clock: HandClock, *, ends: bool) -> None:
        self._pieces = list(pieces)
        self._clock = clock
        self._ends = ends

    async def receive(self) -> Message:
        """As ASGI servers do."""
        if not self._pieces:
            await asyncio.Event().wait()
        count, seconds = self._pieces.pop(0)
        self._clock.seconds += seconds
        return {"type": "http.request", "body": bytes(count), "more_body": bool(self._pieces) or not self._ends}


def read(
    pieces: Iterable[tuple[int, float]], *, limit_bytes: int | None = None, ends: bool = True
) -> tuple[PacedBody, list[Refusal]]:
    """Read a body to its end."""
    clock = HandClock()
    counted: list[Refusal] = []
    refusals = Refusals(clock, on_refusal=counted.append)
    client = Client(pieces, clock, ends=ends)
    body = PacedBody(client.receive, refusals, bytes_per_second=RATE, limit_bytes=limit_bytes, clock=clock)

    async def all_of_it() -> None:
        while not body.is_complete:
            await body()

    asyncio.run(all_of_it())
    return body, counted


def refused(pieces: Iterable[tuple[int, float]], **given: bool) -> RequestRefused:
    """Why."""
    with pytest.raises(RequestRefused) as why:
        read(pieces, **given)
    return why.value


def test_a_client_that_falls_silent_is_told_so_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """408: nothing more comes, and a connection is not held for ever."""
    assert 10 <= bodies.STALL_SECONDS <= 60
    monkeypatch.setattr(bodies, "STALL_SECONDS", 0.05)
    why = refused([(10, 0.0)], ends=False)
    assert (why.status, why.reason) == (408, "upload_stalled")
    assert str(why) == "nothing came for 0 s"


def test_a_byte_now_and_then_is_not_enough() -> None:
    """A client could hold its place and its part of the spool for ever otherwise."""
    why = refused([(1, 29.0)] * 10)
    assert (why.status, why.reason) == (408, "upload_too_slow")
    assert "KASCRIBE_GATEWAY_UPLOAD_RATE_BYTES_PER_SECOND" in str(why)


def test_a_pause_within_a_quick_upload_is_allowed() -> None:
    """The pace is that of half a minute."""
    body, counted = read([(40_000, 1.0), (1, PACE_SECONDS - 1), (100, PACE_SECONDS - 1), (40_000, 1.0), (1, 0.0)])
    assert (body.received_bytes, counted) == (80_102, [])


def test_the_last_bytes_may_be_few() -> None:
    """A body that is complete is not judged any more."""
    assert read([(0, 10.0), (5, 25.0)])[1] == []


def test_a_body_without_a_file_has_a_limit_of_its_own() -> None:
    """It is read into memory."""
    assert read([(500, 0.0), (500, 0.0)], limit_bytes=1_000)[0].is_complete
    with pytest.raises(RequestRefused) as why:
        read([(500, 0.0), (501, 0.0)], limit_bytes=1_000)
    assert (why.value.status, why.value.reason) == (413, "body_too_large")


def test_waiting_for_the_answer_is_not_limited() -> None:
    """Routes notice a disconnect by it."""

    async def wait() -> bool:
        clock = HandClock()
        client = Client([(1, 0.0)], clock, ends=True)
        body = PacedBody(client.receive, Refusals(clock), bytes_per_second=1, limit_bytes=None, clock=clock)
        await body()
        waiting = asyncio.create_task(body())
        await asyncio.wait({waiting}, timeout=0.05)
        was_waiting = not waiting.done()
        waiting.cancel()
        return was_waiting

    assert asyncio.run(wait())
