"""Waiting for a condition instead of for a time, so that tests are as fast as what they wait for."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def eventually(
    condition: Callable[[], Seen | None],
    *,
    timeout_seconds: float,
    interval_seconds: float = 0.05,
    what: str = "the condition",
) -> Seen:
    """Return the first truthy value of `condition`, checked at least once and a last time after the deadline.

    Blocks up to `timeout_seconds`, then raises AssertionError with the last value seen. What `condition`
    raises passes through at once: a condition that may fail before it holds returns a falsy value instead.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        late = time.monotonic() >= deadline
        seen = condition()
        if seen:
            return seen
        if late:
            raise AssertionError(f"{what} did not hold within {timeout_seconds} s; last seen: {seen!r}")
        time.sleep(interval_seconds)


async def pace(interval_seconds: float) -> None:
    """Wait between two actions of a client that acts at a rate, such as one that abuses a server.

    Never for a result: that is ``eventually``.
    """
    await asyncio.sleep(interval_seconds)
