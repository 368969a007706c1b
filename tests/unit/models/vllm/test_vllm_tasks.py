"""Several tasks as one, and one task for several callers."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from models.vllm.tasks import SingleFlight, gather_or_cancel


def test_gathered_work_gives_results_in_order_and_ends_with_the_first_failure() -> None:
    """The rest is cancelled, and has ended when the failure is raised."""

    async def both() -> None:
        assert await gather_or_cancel(value(number) for number in range(3)) == [0, 1, 2]
        ended: list[str] = []

        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("waiting")

        async def fail() -> None:
            await value(0)
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            async with asyncio.timeout(30):
                await gather_or_cancel([wait(), fail(), wait()])
        assert ended == ["waiting", "waiting"]

    run(both())


def test_single_flight_work_runs_once_for_all_callers_and_again_for_later_ones() -> None:
    """A caller that is cancelled does not cancel the work that another one waits for."""

    async def call() -> None:
        runs: list[int] = []
        going = asyncio.Event()

        async def work() -> int:
            runs.append(len(runs))
            await going.wait()
            return runs[-1]

        flight = SingleFlight(work)
        first, second = asyncio.ensure_future(flight()), asyncio.ensure_future(flight())
        await asyncio.wait([first, second], timeout=0)
        first.cancel()
        await asyncio.wait([first], timeout=1)
        assert first.cancelled()
        going.set()
        assert await second == 0
        assert await flight() == 1
        assert len(runs) == 2

    run(call())


async def value(of: int) -> int:
    """Return a value one turn of the loop later."""
    await asyncio.wait([asyncio.ensure_future(asyncio.wait_for(nothing(), 1))])
    return of


async def nothing() -> None:
    """Return at once."""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end."""
    asyncio.run(work)
