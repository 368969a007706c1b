"""What becomes of requests for answers, told to whoever counts: one call for each that ended."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

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
from models.vllm.servers.replies import Answer
from schemas.clock import Clock
from schemas.events import TokenUsage


class Outcome(StrEnum):
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


OF_PROBLEM: Final[dict[type[ServerProblem], Outcome]] = {
    ContextExceeded: Outcome.TOO_LONG,
    Rejected: Outcome.REJECTED,
    AccessRefused: Outcome.REFUSED,
    Overloaded: Outcome.OVERLOADED,
    ServerFailed: Outcome.FAILED,
    TooSlow: Outcome.TOO_SLOW,
    Unreachable: Outcome.UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class Ended:
    """One request that ended. ``usage`` counts nothing where no answer came."""

    outcome: Outcome
    seconds: float
    usage: TokenUsage = field(default_factory=TokenUsage)


class Observer(Protocol):
    """Called from the enricher's thread, from which it must return at once. It must not raise."""

    def request_ended(self, ended: Ended) -> None:
        """A request was answered, failed or was cancelled. One that is tried again ends once for each try."""
        ...


class Nobody:
    """An observer for those who do not count."""

    def request_ended(self, ended: Ended) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests for answers at one moment, over all servers. ``limit`` is how many may be in flight now."""

    in_flight: int
    waiting: int
    limit: int


async def observed(answering: Awaitable[Answer], observer: Observer, clock: Clock) -> Answer:
    """The answer, or its problem, once the observer was told."""
    started = clock.monotonic()
    try:
        answer = await answering
    except ServerProblem as problem:
        observer.request_ended(Ended(OF_PROBLEM[type(problem)], clock.monotonic() - started))
        raise
    except asyncio.CancelledError:
        observer.request_ended(Ended(Outcome.CANCELLED, clock.monotonic() - started))
        raise
    outcome = Outcome.ANSWERED if answer.complete else Outcome.CUT_OFF
    observer.request_ended(Ended(outcome, clock.monotonic() - started, answer.usage))
    return answer
