"""How many requests a server bears: the limit follows what it bears, and no place is lost, whoever goes away."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from models.vllm.servers.limiter import BULK_SHARE, COOLDOWN_SECONDS, START_REQUESTS, Limiter
from schemas.options import Lane
from tests.support.clock import HandClock


def test_the_limit_halves_once_for_a_flood_and_grows_with_success() -> None:
    """Additive increase, multiplicative decrease, within what the setting allows."""
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


def test_a_limit_that_nobody_reaches_does_not_grow() -> None:
    """One request fewer than it allows, however often: no success says that more would be borne."""
    limiter = Limiter(64, clock=HandClock())
    limiter.on_overload()
    run(succeed(limiter, 3_000, at_once=15))
    assert limiter.limit == 16
    run(succeed(limiter, 32, at_once=16))
    assert limiter.limit == 17


def test_people_go_before_bulk_and_bulk_is_not_starved() -> None:
    """One place, both lanes waiting: an interactive request enters first, and every eighth grant is bulk's."""
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


def test_a_place_that_is_granted_to_who_leaves_goes_to_the_next() -> None:
    """Granted and cancelled in the same moment: nobody holds the place, and nobody waits for it in vain."""

    async def leave() -> None:
        limiter = Limiter(1, clock=HandClock())
        async with limiter.slot(Lane.BULK):
            first, second = (asyncio.ensure_future(held(limiter)) for _ in range(2))
            await turns(lambda: limiter.waiting == 2)
        assert (limiter.in_flight, limiter.waiting) == (1, 1), "granted, and not yet awake"
        first.cancel()
        async with asyncio.timeout(10):
            await asyncio.gather(first, second, return_exceptions=True)
        assert first.cancelled()
        assert not second.cancelled()
        assert limiter.in_flight == 0

    run(leave())


def test_whoever_leaves_the_line_takes_nobodys_place() -> None:
    """Cancelled while waiting: the count of those in flight is untouched."""

    async def leave() -> None:
        limiter = Limiter(1, clock=HandClock())
        async with limiter.slot(Lane.BULK):
            waiting = asyncio.ensure_future(held(limiter))
            await turns(lambda: limiter.waiting == 1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert (limiter.in_flight, limiter.waiting) == (1, 0)
        async with asyncio.timeout(10), limiter.slot(Lane.BULK):
            assert limiter.in_flight == 1
        assert limiter.in_flight == 0

    run(leave())


def test_a_request_that_failed_gives_its_place_back_and_teaches_nothing() -> None:
    """The limit grows with success alone."""

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


def test_no_more_are_in_flight_than_the_limit_and_the_order_is_that_of_arrival() -> None:
    """Within a lane; whoever comes while others wait stands behind them."""
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
                await asyncio.wait([asyncio.ensure_future(turns(lambda: True))])

        await asyncio.gather(*(enter(number) for number in range(20)))
        assert (most, limiter.in_flight) == (3, 0)

    run(flood())
    assert entered == list(range(20))


def test_the_limit_starts_low_and_never_falls_below_one() -> None:
    """A server that is new is not flooded, and one that is down is asked now and then."""
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
    """One request that is answered at once."""
    async with limiter.slot(Lane.BULK):
        pass


async def turns(condition: Any) -> None:
    """Lets others run until a condition holds, a thousand times at most."""
    for _ in range(1_000):
        others = asyncio.Event()
        asyncio.get_running_loop().call_soon(others.set)
        await others.wait()
        if condition():
            return
    raise AssertionError("the condition never held")


async def succeed(limiter: Limiter, times: int, *, at_once: int) -> None:
    """Requests that are answered, so many at a time."""

    async def one() -> None:
        async with limiter.slot(Lane.BULK):
            await arrived.wait()

    for _ in range(times // at_once):
        arrived = asyncio.Barrier(min(at_once, limiter.limit))
        await asyncio.gather(*(one() for _ in range(arrived.parties)))


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine to its end."""
    asyncio.run(work)
