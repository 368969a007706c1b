"""Calls to the observer, and the span of a request: each completion request reports its outcome."""

import asyncio
from collections.abc import Awaitable
from contextlib import AbstractContextManager
from typing import Final
from urllib.parse import urlsplit

from models.vllm.servers.completion import Completion, CompletionRequest, ServedModel
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
from schemas.monitoring.active_span import ActiveSpan, NoSpan
from schemas.monitoring.spans import AttributeValue, SpanKind
from schemas.monitoring.tracing import span

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


def request_span(
    request: CompletionRequest, model: ServedModel, base_url: str, *, attempt: int, waited_seconds: float
) -> AbstractContextManager[ActiveSpan | NoSpan]:
    """Measure one request, by OpenTelemetry's conventions for generative AI. Neither prompt nor answer is in it.

    ``waited_seconds`` is the time until a server had a place for it; ``attempt`` counts the requests, from 1.
    """
    operation = "chat" if model.has_chat_template else "text_completion"
    address = urlsplit(base_url)
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": model.name,
        "gen_ai.request.max_tokens": request.max_completion_tokens,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.output.type": "text" if request.schema is None else "json",
        "server.address": address.hostname or "",
        "server.port": address.port or (443 if address.scheme == "https" else 80),
        "http.request.resend_count": attempt - 1,
        "kascribe.question": request.schema_name,
        "kascribe.request_id": request.request_id,
        "kascribe.wait_seconds": waited_seconds,
    }
    return span(f"{operation} {model.name}", kind=SpanKind.CLIENT, attributes=attributes)


def completion_attributes(completion: Completion) -> dict[str, AttributeValue]:
    """Return what a span tells of an answer: why it ended, and what the server counted."""
    return {
        "gen_ai.response.finish_reasons": (completion.finish_reason,),
        "gen_ai.usage.input_tokens": completion.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": completion.usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": completion.usage.cached_tokens,
    }
