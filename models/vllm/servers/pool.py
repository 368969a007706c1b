"""Several servers as one: affinity, failover, retries within a budget, and the error when it is spent."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import structlog

from models.vllm.servers.client import ServerClient
from models.vllm.servers.completion import Completion, CompletionRequest, OnText, Prompt, ServedModel
from models.vllm.servers.failover import Failover
from models.vllm.servers.limiter import Limiter
from models.vllm.servers.observer import completion_attributes, observe, request_span
from models.vllm.servers.ports import Observer, RequestLoad
from models.vllm.servers.problems import ContextExceeded, Rejected, ServerProblem
from models.vllm.servers.server import Server
from schemas.clock import Clock
from schemas.errors import ConfigurationError, DependencyDown, EnrichmentFailed
from schemas.settings import VllmSettings

DEPENDENCY: Final = "vllm"
_log: Final = structlog.get_logger(__name__)

Sleep = Callable[[float], Awaitable[None]]
Result = TypeVar("Result")


def addresses(settings: VllmSettings) -> list[str]:
    """Return the servers' addresses. Raises ConfigurationError when there are none."""
    urls = [url.strip().rstrip("/").removesuffix("/v1") for url in (settings.base_url or "").split(",")]
    if not any(urls):
        raise ConfigurationError(
            "KASCRIBE_VLLM_BASE_URL is not set: give the vLLM server's address, such as http://host:8000"
        )
    return [url for url in urls if url]


def rank(urls: Sequence[str], affinity: str) -> list[int]:
    """Rank server indexes by rendezvous hash, so that a transcript prefers the same server, and its prefix cache.

    Adding or removing a server moves only the transcripts that prefer that server.
    """
    score = [hashlib.sha256(f"{affinity}\0{url}".encode()).digest() for url in urls]
    return sorted(range(len(urls)), key=lambda index: score[index], reverse=True)


class ServerPool:
    """All servers of one deployment. Belongs to one event loop; call ``close`` at the end."""

    def __init__(
        self,
        settings: VllmSettings,
        *,
        clock: Clock,
        sleep: Sleep,
        random: Callable[[], float],
        observer: Observer,
    ) -> None:
        """Open no connection yet. Raises ConfigurationError for missing addresses and unusable certificates."""
        self._attempts = settings.attempts
        self._clock, self._sleep, self._random = clock, sleep, random
        self._observer = observer
        self._urls = addresses(settings)
        self._servers = [_server(url, settings, clock) for url in self._urls]

    async def close(self) -> None:
        """Close every connection."""
        for server in self._servers:
            await server.client.close()

    def load(self) -> RequestLoad:
        """Return the load now. Callable from any thread: it only reads counters."""
        limiters = [server.limiter for server in self._servers]
        return RequestLoad(
            in_flight=sum(limiter.in_flight for limiter in limiters),
            waiting=sum(limiter.waiting for limiter in limiters),
            limit=sum(limiter.limit for limiter in limiters),
        )

    async def is_up(self) -> bool:
        """Probe all servers; return whether any makes a token. Takes up to ten seconds."""
        problems = await asyncio.gather(*(server.probe() for server in self._servers))
        return any(problem is None for problem in problems)

    async def discover(self, affinity: str) -> ServedModel:
        """Return the model of the transcript's server. Raises DependencyDown or EnrichmentFailed."""
        return await self._try_servers(affinity, lambda server, _: server.discover())

    async def count_tokens(self, prompt: Prompt, affinity: str) -> int:
        """Count the tokens of a prompt. Raises ContextExceeded, Rejected, DependencyDown or EnrichmentFailed."""

        async def count(server: Server, _: int) -> int:
            return await server.client.count_tokens(prompt, await server.discover())

        return await self._try_servers(affinity, count)

    async def complete(
        self, request: CompletionRequest, affinity: str, on_text: OnText | None = None
    ) -> Completion:
        """Return the completion of the first server that gives one within the budget of attempts.

        Raises ContextExceeded and Rejected, which the caller can act on, and DependencyDown or EnrichmentFailed
        for all other problems.
        """
        stream = _RestartingStream(on_text) if on_text else None

        async def complete_on(server: Server, attempt: int) -> Completion:
            model = await server.discover()
            if stream:
                stream.restart()
            began = self._clock.monotonic()
            async with server.limiter.slot(request.lane):
                again = request if attempt == 1 else replace(request, request_id=f"{request.request_id}:{attempt}")
                waited_seconds = self._clock.monotonic() - began
                with request_span(
                    again, model, server.client.base_url, attempt=attempt, waited_seconds=waited_seconds
                ) as step:
                    completing = server.client.complete(again, model, stream)
                    completion = await observe(completing, self._observer, self._clock)
                    step.set(completion_attributes(completion))
            server.on_success()
            return completion

        return await self._try_servers(affinity, complete_on)

    async def _try_servers(self, affinity: str, call: Callable[[Server, int], Awaitable[Result]]) -> Result:
        servers = [self._servers[index] for index in rank(self._urls, affinity)]
        failover = Failover(servers, attempts=self._attempts)
        for server in servers:
            server.probe_if_due()
        attempt, tried = 0, set[Server]()
        chosen = failover.next(_is_suspect) or servers[0]
        while True:
            attempt += 1
            try:
                if len(servers) > 1 and chosen.is_suspect and chosen not in tried:
                    await _probe(chosen)
                tried.add(chosen)
                return await call(chosen, attempt)
            except ContextExceeded as problem:
                chosen.on_context_exceeded(problem)
                raise
            except Rejected:
                raise
            except ServerProblem as problem:
                chosen.on_failure(problem)
                failover.on_failure(chosen, problem)
                following = failover.next(_is_suspect)
                if following is None:
                    raise await self._job_error(problem) from problem
                # The message names the server.
                _log.warning("request to a language model server failed; it is sent again", error=str(problem))
            chosen = following
            pause = failover.pause_seconds(chosen, attempt, self._random())
            if pause is not None:
                await self._sleep(pause)

    async def _job_error(self, problem: ServerProblem) -> DependencyDown | EnrichmentFailed:
        """Probe to find out whether only this request fails: a server that answers a probe is up."""
        if not await self.is_up():
            return DependencyDown(DEPENDENCY, f"no vLLM server can be used: {problem}")
        return EnrichmentFailed(f"the vLLM server failed this request: {problem}")


class _RestartingStream:
    """Discards the pieces that a failed attempt streamed before the next attempt begins."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text
        self._has_pieces = False

    def restart(self) -> None:
        if self._has_pieces:
            self._on_text(None)
            self._has_pieces = False

    def __call__(self, piece: str | None) -> None:
        self._has_pieces = True
        self._on_text(piece)


def _server(url: str, settings: VllmSettings, clock: Clock) -> Server:
    limiter = Limiter(settings.concurrency_limit, clock=clock)
    return Server(ServerClient(url, settings, clock=clock), limiter, clock=clock)


def _is_suspect(server: Server) -> bool:
    return server.is_suspect


async def _probe(server: Server) -> None:
    """Probe a suspect first, so that the request does not wait for its full timeout. Raises ServerProblem."""
    problem = await server.probe()
    if problem is not None:
        raise problem
