"""Several servers as one: affinity, failover, retries with a budget, and the verdict when they are spent."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from models.vllm.servers.client import Connection, OnText
from models.vllm.servers.failover import Trial
from models.vllm.servers.limiter import Limiter
from models.vllm.servers.observer import Load, Nobody, Observer, observed
from models.vllm.servers.problems import ContextExceeded, Rejected, ServerProblem
from models.vllm.servers.replies import Answer
from models.vllm.servers.server import Server
from models.vllm.servers.wire import Ask, Prompt, Served
from schemas.clock import Clock
from schemas.errors import ConfigurationError, DependencyDown, EnrichmentFailed
from schemas.settings import VllmSettings

DEPENDENCY: Final = "vllm"

Sleep = Callable[[float], Awaitable[None]]
Result = TypeVar("Result")


def addresses(settings: VllmSettings) -> list[str]:
    """The servers' addresses. Raises ConfigurationError when there are none."""
    urls = [url.strip().rstrip("/").removesuffix("/v1") for url in (settings.base_url or "").split(",")]
    if not any(urls):
        raise ConfigurationError(
            "KASCRIBE_VLLM_BASE_URL is not set: give the vLLM server's address, such as http://host:8000"
        )
    return [url for url in urls if url]


def ranked(urls: Sequence[str], affinity: str) -> list[int]:
    """Indexes by rendezvous hash: the same transcript prefers the same server, and its prefix cache.

    A server that comes or goes moves only the transcripts that were its own.
    """
    score = [hashlib.sha256(f"{affinity}\0{url}".encode()).digest() for url in urls]
    return sorted(range(len(urls)), key=lambda index: score[index], reverse=True)


class Pool:
    """All servers of one deployment, used from one event loop."""

    def __init__(
        self,
        settings: VllmSettings,
        *,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        random: Callable[[], float] = lambda: 0.5,
        observer: Observer | None = None,
    ) -> None:
        self._settings = settings
        self._observer = observer or Nobody()
        self._clock, self._sleep, self._random = clock, sleep, random
        self._urls = addresses(settings)
        self._servers = [
            Server(
                Connection(url, settings, clock=clock),
                Limiter(settings.concurrency_limit, clock=clock),
                clock=clock,
            )
            for url in self._urls
        ]

    async def close(self) -> None:
        """Closes every connection."""
        for server in self._servers:
            await server.connection.close()

    def load(self) -> Load:
        """Requests at this moment. Reads counters alone, so any thread may ask."""
        limiters = [server.limiter for server in self._servers]
        return Load(
            in_flight=sum(limiter.in_flight for limiter in limiters),
            waiting=sum(limiter.waiting for limiter in limiters),
            limit=sum(limiter.limit for limiter in limiters),
        )

    async def served(self, affinity: str) -> Served:
        """What the transcript's server serves. Raises DependencyDown or EnrichmentFailed."""
        return await self._tried(affinity, lambda server, _: server.what_it_serves())

    async def count(self, prompt: Prompt, affinity: str) -> int:
        """Tokens of a prompt. Raises ContextExceeded, Rejected, DependencyDown or EnrichmentFailed."""

        async def counted(server: Server, _: int) -> int:
            return await server.connection.count(prompt, await server.what_it_serves())

        return await self._tried(affinity, counted)

    async def ask(self, ask: Ask, affinity: str, on_text: OnText | None = None) -> Answer:
        """The answer, from the first server that gives one within the budget.

        Raises ContextExceeded and Rejected as they are, for the caller knows what to do about them, and
        DependencyDown or EnrichmentFailed for the rest.
        """
        spoken = _Spoken(on_text) if on_text else None

        async def answered(server: Server, attempt: int) -> Answer:
            served = await server.what_it_serves()
            if spoken:
                spoken.begin()
            async with server.limiter.slot(ask.lane):
                again = ask if attempt == 1 else replace(ask, request_id=f"{ask.request_id}:{attempt}")
                answering = server.connection.answer(again, served, spoken)
                answer = await observed(answering, self._observer, self._clock)
            server.answered()
            return answer

        return await self._tried(affinity, answered)

    async def is_up(self) -> bool:
        """Whether any server makes a token. Blocks for ten seconds at most."""
        outcomes = await asyncio.gather(*(server.probe() for server in self._servers))
        return any(outcome is None for outcome in outcomes)

    async def _tried(self, affinity: str, call: Callable[[Server, int], Awaitable[Result]]) -> Result:
        servers = [self._servers[index] for index in ranked(self._urls, affinity)]
        trial = Trial(servers, attempts=self._settings.attempts)
        for server in servers:
            server.look_when_due()
        attempt, asked = 0, set[Server]()
        chosen = trial.next(_is_suspect) or servers[0]
        while True:
            attempt += 1
            try:
                if len(servers) > 1 and chosen.is_suspect and chosen not in asked:
                    await _looked_at(chosen)
                asked.add(chosen)
                return await call(chosen, attempt)
            except ContextExceeded as problem:
                chosen.exceeded(problem)
                raise
            except Rejected:
                raise
            except ServerProblem as problem:
                chosen.failed(problem)
                trial.failed(chosen, problem)
                following = trial.next(_is_suspect)
                if following is None:
                    raise await self._verdict(problem) from problem
            chosen = following
            pause = trial.pause_seconds(chosen, attempt, self._random())
            if pause is not None:
                await self._sleep(pause)

    async def _verdict(self, problem: ServerProblem) -> DependencyDown | EnrichmentFailed:
        """The record's fault or everybody's: a server that answers a probe is up."""
        if not await self.is_up():
            return DependencyDown(DEPENDENCY, f"no vLLM server can be used: {problem}")
        return EnrichmentFailed(f"the vLLM server failed this request: {problem}")


class _Spoken:
    """Takes back what an attempt that failed has streamed, before the next one begins."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text
        self._said = False

    def begin(self) -> None:
        if self._said:
            self._on_text(None)
            self._said = False

    def __call__(self, piece: str | None) -> None:
        self._said = True
        self._on_text(piece)


def _is_suspect(server: Server) -> bool:
    return server.is_suspect


async def _looked_at(server: Server) -> None:
    """Spares a request the wait for a server that still hangs. Raises ServerProblem."""
    problem = await server.probe()
    if problem is not None:
        raise problem
