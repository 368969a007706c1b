"""The client of one language model server. Only this module and ``transport`` use httpx.

Everything is asynchronous: cancelling a task closes its socket, and nothing else ends the request in the server.
"""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import httpx

from models.vllm.servers.completion import Completion, CompletionRequest, OnText, Prompt, ServedModel, TokenCounts
from models.vllm.servers.error_responses import problem_of, says_no_template
from models.vllm.servers.event_stream import events, limit_size
from models.vllm.servers.problems import (
    AccessRefused,
    Rejected,
    ServerFailed,
    ServerProblem,
    TooSlow,
    Unreachable,
)
from models.vllm.servers.reasoning import ReasoningFilter
from models.vllm.servers.requests import completions_path, prompt_body, request_body
from models.vllm.servers.responses import CompletionBuilder, expect_shape, read_completion, read_delta, read_json
from models.vllm.servers.tls import advice, tls_context
from models.vllm.servers.transport import Transport
from schemas.clock import Clock
from schemas.monitoring.error_causes import cause_of
from schemas.monitoring.tracing import current_span
from schemas.options import Lane
from schemas.settings import VllmSettings

CONNECT_TIMEOUT_SECONDS: Final = 5.0
PROBE_TIMEOUT_SECONDS: Final = 5.0
_PRIORITIES: Final = {Lane.INTERACTIVE: 0, Lane.BULK: 1}
_CONNECTIONS_BESIDE_COMPLETIONS: Final = 8
"""For counts and probes."""

if importlib.util.find_spec("sniffio") is None:
    # httpcore tries to import it a dozen times per request: 2 ms of searching the path. None fails at once.
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # what the import system documents


class ServerClient:
    """Client of one server, for one event loop. ``base_url`` ends before ``/v1``. Call ``close`` at the end."""

    def __init__(self, base_url: str, settings: VllmSettings, *, clock: Clock) -> None:
        """Open no connection yet. Raises ConfigurationError for certificates that cannot be used."""
        self.base_url = base_url
        self._settings = settings
        self._probe_timeout_seconds = min(PROBE_TIMEOUT_SECONDS, settings.timeout_seconds)
        key = settings.api_key.get_secret_value() if settings.api_key else None
        trust = tls_context(settings) if base_url.startswith("https") else False
        connections = settings.concurrency_limit + _CONNECTIONS_BESIDE_COMPLETIONS
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            transport=Transport(connections, trust, clock=clock),
            timeout=httpx.Timeout(settings.timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every socket; requests in flight end."""
        await self._http.aclose()

    async def discover(self) -> ServedModel:
        """Request the served model, its context and its abilities. Raises ServerProblem.

        Raises AccessRefused when the server does not have the model that the settings name.
        """
        async with self._translating(self._probe_timeout_seconds):
            cards = _model_cards(read_json(await self._body("GET", "/v1/models")))
            card = self._choose_card(cards)
            stated = _context(card)
            parent = next((one for one in cards if one.get("id") == card.get("parent")), {})
            assumed = stated or _context(parent) or self._settings.context_tokens
            model = await self._with_abilities(ServedModel(str(card["id"]), assumed))
            return replace(model, context_tokens=stated) if stated else model

    async def count_tokens(self, prompt: Prompt, model: ServedModel) -> int:
        """Count the tokens of a prompt, chat template included. Raises ServerProblem."""
        async with self._translating(self._settings.timeout_seconds):
            return (await self._tokenize(prompt, model))[0]

    async def complete(
        self, request: CompletionRequest, model: ServedModel, on_text: OnText | None = None
    ) -> Completion:
        """Complete a prompt, streamed if ``on_text`` is given. Cancelling the task ends the request in the server.

        Raises ServerProblem; the caller must then discard what was streamed.
        """
        priority = _PRIORITIES[request.lane] if self._settings.priority else None
        body = request_body(request, model, stream=on_text is not None, priority=priority)
        path, headers = completions_path(model), {"X-Request-Id": request.request_id}
        if (step := current_span()) is not None:
            headers["traceparent"] = (
                step.traceparent
            )  # vLLM's own spans (--otlp-traces-endpoint) are below this one
        async with self._translating(self._settings.timeout_seconds):
            if on_text is None:
                return read_completion(read_json(await self._body("POST", path, body, headers)))
            return await self._stream(path, body, headers, on_text)

    async def probe(self, model: ServedModel) -> None:
        """Have the server make one token: it can report healthy and hang. Raises ServerProblem."""
        request = CompletionRequest(Prompt("", "", "."), 1, 0.0, "probe", lane=Lane.INTERACTIVE)
        body = request_body(request, model, stream=False, priority=None)
        headers = {"X-Request-Id": request.request_id}
        async with self._translating(self._probe_timeout_seconds):
            await self._body("GET", "/v1/models")
            read_completion(read_json(await self._body("POST", completions_path(model), body, headers)))

    def _choose_card(self, cards: list[dict[str, Any]]) -> dict[str, Any]:
        name = self._settings.model
        card = next((card for card in cards if name in (None, card.get("id"))), None)
        if card is None:
            known = ", ".join(str(card.get("id")) for card in cards) or "nothing"
            raise AccessRefused(f"{self.base_url} serves {known}, not {name}: set KASCRIBE_VLLM_MODEL")
        return card

    async def _with_abilities(self, model: ServedModel) -> ServedModel:
        """Detect by /tokenize what the chat template accepts, whether tokens can be counted, and the context."""
        try:
            return await self._with_context(model)
        except AccessRefused:  # a gateway that forwards only /v1
            return replace(model, can_count_tokens=False)
        except Rejected as rejected:
            is_base_model = says_no_template(rejected)
        other = replace(model, has_chat_template=False) if is_base_model else replace(model, has_system_role=False)
        try:
            return await self._with_context(other)
        except (AccessRefused, Rejected):
            return replace(other if is_base_model else model, can_count_tokens=False)

    async def _with_context(self, model: ServedModel) -> ServedModel:
        _, context = await self._tokenize(Prompt("Count.", "", "."), model)
        return replace(model, context_tokens=context or model.context_tokens)

    async def _tokenize(self, prompt: Prompt, model: ServedModel) -> tuple[int, int | None]:
        """Return the tokens of a prompt, and those of the context where the server states them."""
        payload = read_json(await self._body("POST", "/tokenize", prompt_body(prompt, model)))
        count = payload.get("count") if isinstance(payload, dict) else None
        if not isinstance(payload, dict) or not isinstance(count, int):
            raise ServerFailed(f"{self.base_url}/tokenize answered without a count")
        return count, _context(payload)

    async def _body(
        self, method: str, path: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        async with self._http.stream(method, path, json=body, headers=headers) as response:
            return await _read_body(response)

    async def _stream(
        self, path: str, body: dict[str, Any], headers: dict[str, str], on_text: OnText
    ) -> Completion:
        builder, answer, usage = CompletionBuilder(), ReasoningFilter(on_text), TokenCounts(requests=1)
        is_whole = False
        async with self._http.stream("POST", path, json=body, headers=headers) as response:
            if response.status_code != 200:
                await _read_body(response)  # raises
            async for event in events(response.aiter_bytes()):
                if event is None:
                    is_whole = True
                    continue
                text, counts = read_delta(event, builder)
                usage = counts or usage
                if text:
                    answer.add(text)
        if builder.finish_reason is None and not is_whole:
            raise ServerFailed("the stream ended before the answer did")
        completion = builder.build(usage)
        answer.end()
        return completion

    @asynccontextmanager
    async def _translating(self, timeout_seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(timeout_seconds):
                yield
        except TimeoutError as late:
            raise TooSlow(f"{self.base_url} did not answer within {timeout_seconds:g} s") from late
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise translate(error, self.base_url) from error


def translate(error: Exception, base_url: str) -> ServerProblem:
    """Translate an exception of httpx to a ServerProblem."""
    text = f"{base_url}: {type(error).__name__}: {error}{cause_of(error)}"
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return Unreachable(text + advice(text))
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return AccessRefused(f"{text}: set KASCRIBE_VLLM_BASE_URL to one such as http://host:8000")
    if isinstance(error, httpx.TimeoutException):
        return TooSlow(text)
    return ServerFailed(text)


async def _read_body(response: httpx.Response) -> bytes:
    """Return the body. Raises a ServerProblem for any status other than 200."""
    raw = b"".join([piece async for piece in limit_size(response.aiter_bytes())])
    if response.status_code != 200:
        raise problem_of(response.status_code, raw, retry_after=response.headers.get("retry-after"))
    return raw


def _model_cards(payload: object) -> list[dict[str, Any]]:
    cards = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(cards, list):
        raise ServerFailed("/v1/models answered without a list of models")
    return [card for card in cards if isinstance(card, dict) and card.get("id")]


def _context(payload: dict[str, Any]) -> int | None:
    with expect_shape("a context that is no number", payload):
        return int(payload.get("max_model_len") or 0) or None
