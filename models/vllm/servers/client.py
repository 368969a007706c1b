"""The connection to one language model server. httpx lives here and in ``transport`` alone.

Everything is asynchronous: a cancelled task closes its socket, and that is what ends the request in the
server, which has no other way to be told.
"""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import httpx

from models.vllm.servers.problems import (
    AccessRefused,
    Rejected,
    ServerFailed,
    ServerProblem,
    TooSlow,
    Unreachable,
)
from models.vllm.servers.reasoning import Aloud
from models.vllm.servers.replies import Answer, Reply
from models.vllm.servers.tls import advice, tls_context
from models.vllm.servers.transport import Transport
from models.vllm.servers.wire import (
    CHAT_PATH,
    COMPLETIONS_PATH,
    Ask,
    Prompt,
    Served,
    problem_in_stream,
    problem_of,
    prompt_body,
    read_answer,
    read_chunk,
    read_json,
    request_body,
    says_no_template,
    understood,
)
from schemas.clock import Clock
from schemas.events import TokenUsage
from schemas.options import Lane
from schemas.settings import VllmSettings

ANSWER_LIMIT_BYTES: Final = 16 * 1024**2
CONNECT_TIMEOUT_SECONDS: Final = 5.0
PROBE_TIMEOUT_SECONDS: Final = 5.0
_STREAM_END: Final = b"[DONE]"
_PRIORITIES: Final = {Lane.INTERACTIVE: 0, Lane.BULK: 1}

if importlib.util.find_spec("sniffio") is None:
    # httpcore looks for it a dozen times per request: 2 ms of searching the path. None says no at once.
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # what the import system documents

OnText = Callable[[str | None], None]
"""Takes each piece of an answer as it arrives; None takes back all that came before: it begins again."""


class Connection:
    """One server. ``base_url`` ends before ``/v1``. Belongs to one event loop; ``close`` ends it."""

    def __init__(self, base_url: str, settings: VllmSettings, *, clock: Clock) -> None:
        """Raises ConfigurationError for certificates that cannot be used."""
        self.base_url = base_url
        self._settings = settings
        self._probe_timeout_seconds = min(PROBE_TIMEOUT_SECONDS, settings.timeout_seconds)
        key = settings.api_key.get_secret_value() if settings.api_key else None
        trust = tls_context(settings) if base_url.startswith("https") else False
        limit = settings.concurrency_limit + 8  # room for counts and probes beside the answers
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            transport=Transport(limit, trust, clock=clock),
            timeout=httpx.Timeout(settings.timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS),
            trust_env=False,
        )

    async def close(self) -> None:
        """Closes every socket; requests in flight end."""
        await self._http.aclose()

    async def discover(self) -> Served:
        """Which model is served, with what context. Raises ServerProblem, AccessRefused when it is not there."""
        async with self._translated(self._probe_timeout_seconds):
            entries = _entries(read_json(await self._body("GET", "/v1/models")))
            wanted = self._settings.model
            entry = next((entry for entry in entries if wanted in (None, entry.get("id"))), None)
            if entry is None:
                known = ", ".join(str(entry.get("id")) for entry in entries) or "nothing"
                raise AccessRefused(f"{self.base_url} serves {known}, not {wanted}: set KASCRIBE_VLLM_MODEL")
            told = _context(entry)
            parent = next((one for one in entries if one.get("id") == entry.get("parent")), {})
            assumed = told or _context(parent) or self._settings.context_tokens
            able = await self._with_abilities(Served(str(entry["id"]), assumed))
            return replace(able, context_tokens=told) if told else able

    async def count(self, prompt: Prompt, served: Served) -> int:
        """The tokens of a prompt, chat template included. Raises ServerProblem."""
        async with self._translated(self._settings.timeout_seconds):
            return (await self._counted(prompt, served))[0]

    async def answer(self, ask: Ask, served: Served, on_text: OnText | None = None) -> Answer:
        """The answer to ``ask``, streamed when somebody listens. Cancelling it ends the request in the server.

        Raises ServerProblem. What was streamed before a problem is void.
        """
        priority = _PRIORITIES[ask.lane] if self._settings.priority else None
        body = request_body(ask, served, stream=on_text is not None, priority=priority)
        path = CHAT_PATH if served.has_chat else COMPLETIONS_PATH
        headers = {"X-Request-Id": ask.request_id}
        async with self._translated(self._settings.timeout_seconds):
            if on_text is None:
                return read_answer(read_json(await self._body("POST", path, body, headers)))
            return await self._streamed(path, body, headers, on_text)

    async def probe(self, served: Served) -> None:
        """Has one token made: a server can be healthy and hang. Raises ServerProblem."""
        ask = Ask(Prompt("", "", "."), 1, 0.0, "probe", lane=Lane.INTERACTIVE)
        path = CHAT_PATH if served.has_chat else COMPLETIONS_PATH
        async with self._translated(self._probe_timeout_seconds):
            await self._body("GET", "/v1/models")
            body = request_body(ask, served, stream=False, priority=None)
            read_answer(read_json(await self._body("POST", path, body, {"X-Request-Id": ask.request_id})))

    async def _with_abilities(self, served: Served) -> Served:
        """What the model's template takes, and whether the server counts: told by /tokenize, as is the context."""
        try:
            return await self._able(served)
        except AccessRefused:  # a gateway that passes on /v1 alone
            return replace(served, counts_tokens=False)
        except Rejected as refused:
            is_plain = says_no_template(refused)
        other = replace(served, has_chat=False) if is_plain else replace(served, takes_system=False)
        try:
            return await self._able(other)
        except (AccessRefused, Rejected):
            return replace(other if is_plain else served, counts_tokens=False)

    async def _able(self, served: Served) -> Served:
        _, context = await self._counted(Prompt("Count.", "", "."), served)
        return replace(served, context_tokens=context or served.context_tokens)

    async def _counted(self, prompt: Prompt, served: Served) -> tuple[int, int | None]:
        """The tokens of a prompt, and those of the context where they are told."""
        payload = read_json(await self._body("POST", "/tokenize", prompt_body(prompt, served)))
        count = payload.get("count") if isinstance(payload, dict) else None
        if not isinstance(payload, dict) or not isinstance(count, int):
            raise ServerFailed(f"{self.base_url}/tokenize answered without a count")
        return count, _context(payload)

    async def _body(
        self, method: str, path: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        async with self._http.stream(method, path, json=body, headers=headers) as response:
            raw = await _limited(response)
            if response.status_code != 200:
                raise problem_of(response.status_code, raw, retry_after=response.headers.get("retry-after"))
            return raw

    async def _streamed(self, path: str, body: dict[str, Any], headers: dict[str, str], on_text: OnText) -> Answer:
        reply, aloud, usage = Reply(), Aloud(on_text), TokenUsage(requests=1)
        is_whole = False
        async with self._http.stream("POST", path, json=body, headers=headers) as response:
            if response.status_code != 200:
                raw = await _limited(response)
                raise problem_of(response.status_code, raw, retry_after=response.headers.get("retry-after"))
            async for chunk in _chunks(response):
                if chunk is None:
                    is_whole = True
                    continue
                text, told = read_chunk(chunk, reply)
                usage = told or usage
                if text:
                    aloud(text)
        if reply.finish_reason is None and not is_whole:
            raise ServerFailed("the stream ended before the answer did")
        answer = reply.answer(usage)
        aloud.end()
        return answer

    @asynccontextmanager
    async def _translated(self, timeout_seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(timeout_seconds):
                yield
        except TimeoutError as late:
            raise TooSlow(f"{self.base_url} did not answer within {timeout_seconds:g} s") from late
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise translate(error, self.base_url) from error


def translate(error: Exception, base_url: str) -> ServerProblem:
    """Which of our problems an exception of httpx is."""
    text = f"{base_url}: {type(error).__name__}: {error}"
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return Unreachable(text + advice(text))
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return AccessRefused(f"{text}: set KASCRIBE_VLLM_BASE_URL to one such as http://host:8000")
    if isinstance(error, httpx.TimeoutException):
        return TooSlow(text)
    return ServerFailed(text)


def _entries(payload: object) -> list[dict[str, Any]]:
    entries = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(entries, list):
        raise ServerFailed("/v1/models answered without a list of models")
    return [entry for entry in entries if isinstance(entry, dict) and entry.get("id")]


def _context(told: dict[str, Any]) -> int | None:
    with understood("a context that is no number", told):
        return int(told.get("max_model_len") or 0) or None


async def _limited(response: httpx.Response) -> bytes:
    return b"".join([piece async for piece in _pieces(response)])


async def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    size_bytes = 0
    async for piece in response.aiter_bytes():
        size_bytes += len(piece)
        if size_bytes > ANSWER_LIMIT_BYTES:
            raise ServerFailed(f"an answer of more than {ANSWER_LIMIT_BYTES} bytes")
        yield piece


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """The lines of a stream. httpx has such a method, which buffers a line without end."""
    line = bytearray()
    async for piece in _pieces(response):
        *ends, rest = piece.split(b"\n")
        for end in ends:
            yield bytes(line + end).rstrip()
            line.clear()
        line += rest
    yield bytes(line)


async def _chunks(response: httpx.Response) -> AsyncIterator[object]:
    """The parts of a stream; None where the server says that it is whole."""
    async for line in _lines(response):
        payload = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:"):
            continue  # keep-alive comments and blank lines
        if payload == _STREAM_END:
            yield None
            continue
        chunk = read_json(payload)
        if problem := problem_in_stream(chunk):
            raise problem
        yield chunk
