"""Observer hook: one call per finished completion request (for metrics)."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from models.vllm.servers.completion import Completion, TokenCounts
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


class RequestOutcome(StrEnum):
    """How a request ended. A closed set: metrics carry it as a label."""

    ANSWERED = "answered"
    CUT_OFF = "cut_off"
    TOO_LONG = "too_long"
    REJECTED = "rejected"
    REFUSED = "refused"
    OVERLOADED = "overloaded"
    FAILED = "failed"
    TOO_SLOW = "too_slow"
    UNREACHABLE = "unreachable"
    CANCELLED = "cancelled"


OUTCOME_OF_PROBLEM: Final[dict[type[ServerProblem], RequestOutcome]] = {
    ContextExceeded: RequestOutcome.TOO_LONG,
    Rejected: RequestOutcome.REJECTED,
    AccessRefused: RequestOutcome.REFUSED,
    Overloaded: RequestOutcome.OVERLOADED,
    ServerFailed: RequestOutcome.FAILED,
    TooSlow: RequestOutcome.TOO_SLOW,
    Unreachable: RequestOutcome.UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class EndedRequest:
    """One request that ended. ``usage`` is zero where no completion came."""

    outcome: RequestOutcome
    seconds: float
    usage: TokenCounts = field(default_factory=TokenCounts)


class Observer(Protocol):
    """Called on the enricher's event loop: must not block and must not raise."""

    def on_request_end(self, request: EndedRequest) -> None:
        """Observe a request that was answered, failed or was cancelled. Each retry is a request of its own."""
        ...


class NullObserver:
    """An observer that ignores every call."""

    def on_request_end(self, request: EndedRequest) -> None:
        """Ignore the request."""


@dataclass(frozen=True, slots=True)
class RequestLoad:
    """Completion requests at one moment, over all servers. ``limit`` is how many may be in flight now."""

    in_flight: int
    waiting: int
    limit: int


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
