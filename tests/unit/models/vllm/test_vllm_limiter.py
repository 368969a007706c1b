"""Concurrency limit of a server: it follows the server's capacity, and cancellations leak no slot."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from models.vllm.servers.limiter import BULK_SHARE, COOLDOWN_SECONDS, START_REQUESTS, Limiter
from schemas.options import Lane
from tests.support.clock import HandClock


def test_the_limit_halves_once_per_burst_and_grows_with_success() -> None:
    """Additive increase and multiplicative decrease, up to the setting."""
    clock = HandClock()
    clock.seconds = 10.0
    limiter = Limiter(64, clock=clock)
    started = limiter.limit
    for _ in range(20):
        limiter.on_overload()
    assert limiter.limit == started // 2
    clock.seconds += 1.0
    limiter.on_overload()
    assert limiter.limit == started // 4
    run(succeed(limiter, 6_000, at_once=80))
    assert limiter.limit == 64


def test_a_limit_that_is_never_reached_does_not_grow() -> None:
    """One request fewer than the limit, however often, does not show that the server bears more."""
    limiter = Limiter(64, clock=HandClock())
    limiter.on_overload()
    run(succeed(limiter, 3_000, at_once=15))
    assert limiter.limit == 16
    run(succeed(limiter, 32, at_once=16))
    assert limiter.limit == 17


def test_interactive_requests_precede_bulk_and_bulk_is_not_starved() -> None:
    """With one slot and both lanes waiting, interactive requests enter first, and every eighth slot is bulk's."""
    entered: list[Lane] = []

    async def race() -> None:
        limiter = Limiter(1, clock=HandClock())

        async def enter(lane: Lane) -> None:
            async with limiter.slot(lane):
                entered.append(lane)

        async with limiter.slot(Lane.BULK):
            lanes = [Lane.BULK] * 3 + [Lane.INTERACTIVE] * 16
            waiting = [asyncio.ensure_future(enter(lane)) for lane in lanes]
            waiting[0].cancel()
            while limiter.waiting != len(lanes) - 1:
                await asyncio.wait(waiting, timeout=0)
        await asyncio.gather(*waiting, return_exceptions=True)
        assert limiter.in_flight == 0

    run(race())
    assert entered[: BULK_SHARE - 1] == [Lane.INTERACTIVE] * (BULK_SHARE - 1)
    assert entered[BULK_SHARE - 1] is Lane.BULK
    assert len(entered) == 18


def test_a_slot_granted_to_a_cancelled_request_goes_to_the_next() -> None:
    """Grant and cancellation coincide: the slot is neither leaked nor kept from the next request."""

    async def leave() -> None:
        limiter = Limiter(1, clock=HandClock())
        async with limiter.slot(Lane.BULK):
            first, second = (asyncio.ensure_future(held(limiter)) for _ in range(2))
            await yield_until(lambda: limiter.waiting == 2)
        assert (limiter.in_flight, limiter.waiting) == (1, 1), "granted, and not yet awake"
        first.cancel()
        async with asyncio.timeout(10):
            await asyncio.gather(first, second, return_exceptions=True)
        assert first.cancelled()
        assert not second.cancelled()
        assert limiter.in_flight == 0

    run(leave())


def test_a_request_cancelled_while_waiting_takes_no_slot() -> None:
    """The count of requests in flight does not change."""

    async def leave() -> None:
        limiter = Limiter(1, clock=HandClock())
        async with limiter.slot(Lane.BULK):
            waiting = asyncio.ensure_future(held(limiter))
            await yield_until(lambda: limiter.waiting == 1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert (limiter.in_flight, limiter.waiting) == (1, 0)
        async with asyncio.timeout(10), limiter.slot(Lane.BULK):
            assert limiter.in_flight == 1
        assert limiter.in_flight == 0

    run(leave())


def test_a_failed_request_releases_its_slot_and_raises_no_limit() -> None:
    """Only success raises the limit."""

    async def fail() -> None:
        clock = HandClock()
        limiter = Limiter(64, clock=clock)
        while limiter.limit > 1:
            limiter.on_overload()
            clock.seconds += COOLDOWN_SECONDS
        for _ in range(10):
            with pytest.raises(ZeroDivisionError):
                async with limiter.slot(Lane.BULK):
                    _ = 1 / 0
        assert (limiter.in_flight, limiter.limit) == (0, 1)
        async with limiter.slot(Lane.BULK):
            pass
        assert limiter.limit == 2

    run(fail())


def test_the_limit_holds_and_slots_are_granted_in_order_of_arrival() -> None:
    """Within a lane, a new request queues behind the waiting ones."""
    entered: list[int] = []

    async def flood() -> None:
        limiter = Limiter(3, clock=HandClock())
        assert limiter.limit == 3
        most = 0

        async def enter(number: int) -> None:
            nonlocal most
            async with limiter.slot(Lane.BULK):
                entered.append(number)
                most = max(most, limiter.in_flight)
                await asyncio.wait([asyncio.ensure_future(yield_until(lambda: True))])

        await asyncio.gather(*(enter(number) for number in range(20)))
        assert (most, limiter.in_flight) == (3, 0)

    run(flood())
    assert entered == list(range(20))


def test_the_limit_starts_low_and_never_falls_below_one() -> None:
    """A new server is not flooded, and a server that is down is still tried now and then."""
    clock = HandClock()
    limiter = Limiter(500, clock=clock)
    assert limiter.limit == START_REQUESTS
    limiter.on_overload()
    assert limiter.limit == START_REQUESTS // 2
    for _ in range(20):
        clock.seconds += COOLDOWN_SECONDS
        limiter.on_overload()
    assert limiter.limit == 1


async def held(limiter: Limiter) -> None:
    """Hold a slot for a request that completes at once."""
    async with limiter.slot(Lane.BULK):
        pass


async def yield_until(condition: Any) -> None:
    """Yield to other tasks until a condition holds, a thousand times at most."""
    for _ in range(1_000):
        others = asyncio.Event()
        asyncio.get_running_loop().call_soon(others.set)
        await others.wait()
        if condition():
            return
    raise AssertionError("the condition never held")


async def succeed(limiter: Limiter, times: int, *, at_once: int) -> None:
    """Complete requests, ``at_once`` at a time."""

    async def one() -> None:
        async with limiter.slot(Lane.BULK):
            await arrived.wait()

    for _ in range(times // at_once):
        arrived = asyncio.Barrier(min(at_once, limiter.limit))
        await asyncio.gather(*(one() for _ in range(arrived.parties)))


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end."""
    asyncio.run(work)
