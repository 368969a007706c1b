"""Calls to the observer: each completion request reports its outcome."""

import asyncio
from collections.abc import Awaitable
from typing import Final

from models.vllm.servers.completion import Completion
from models.vllm.servers.ports import EndedRequest, Observer, RequestOutcome
from models.vllm.servers.problems import (
    AccessRefused,
    ContextExceeded,
    Overloaded,
    Rejected,
    ServerFailed,
    ServerProblem,
    TooSlow,
    Unreachable,
)
from schemas.clock import Clock

OUTCOME_OF_PROBLEM: Final[dict[type[ServerProblem], RequestOutcome]] = {
    ContextExceeded: RequestOutcome.TOO_LONG,
    Rejected: RequestOutcome.REJECTED,
    AccessRefused: RequestOutcome.REFUSED,
    Overloaded: RequestOutcome.OVERLOADED,
    ServerFailed: RequestOutcome.FAILED,
    TooSlow: RequestOutcome.TOO_SLOW,
    Unreachable: RequestOutcome.UNREACHABLE,
}


class NullObserver:
    """An observer that ignores every call."""

    def on_request_end(self, request: EndedRequest) -> None:
        """Ignore the request."""


async def observe(completing: Awaitable[Completion], observer: Observer, clock: Clock) -> Completion:
    """Await a completion and report its end to the observer first. Raises what the completion raises."""
    started = clock.monotonic()
    try:
        completion = await completing
    except ServerProblem as problem:
        outcome = OUTCOME_OF_PROBLEM[type(problem)]
        observer.on_request_end(EndedRequest(outcome, clock.monotonic() - started))
        raise
    except asyncio.CancelledError:
        observer.on_request_end(EndedRequest(RequestOutcome.CANCELLED, clock.monotonic() - started))
        raise
    outcome = RequestOutcome.ANSWERED if completion.is_complete else RequestOutcome.CUT_OFF
    observer.on_request_end(EndedRequest(outcome, clock.monotonic() - started, completion.usage))
    return completion
