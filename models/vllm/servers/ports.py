"""Observation of the servers, for metrics: each completion request as it ends, and the load of requests."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from models.vllm.servers.completion import TokenCounts


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


@dataclass(frozen=True, slots=True)
class EndedRequest:
    """One request that ended. ``usage`` is zero without a completion."""

    outcome: RequestOutcome
    seconds: float
    usage: TokenCounts = field(default_factory=TokenCounts)


@dataclass(frozen=True, slots=True)
class RequestLoad:
    """Completion requests at one moment, over all servers. ``limit`` is how many may be in flight now."""

    in_flight: int
    waiting: int
    limit: int


class Observer(Protocol):
    """Called on the enricher's event loop: must not block and must not raise."""

    def on_request_end(self, request: EndedRequest) -> None:
        """Observe a request that was answered, failed or was cancelled. Each retry is a separate request."""
        ...
