"""Several servers as one: affinity, failover, retries with a budget, and the verdict when they are spent."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from models.vllm.client import Connection, OnText
from models.vllm.limiter import Limiter
from models.vllm.observing import Load, Nobody, Observer, observed
from models.vllm.problems import (
    AccessRefused,
    ContextExceeded,
    Overloaded,
    Rejected,
    ServerProblem,
    TooSlow,
)
from models.vllm.together import Shared
from models.vllm.wire import Answer, Ask, Prompt, Served
from schemas.errors import ConfigurationError, DependencyDown, EnrichmentFailed
from schemas.settings import VllmSettings

DEPENDENCY: Final = "vllm"
BACKOFF_SECONDS: Final = 0.25
BACKOFF_LIMIT_SECONDS: Final = 8.0
OVERLOAD_ATTEMPTS_FACTOR: Final = 2
"""Being told to wait is not a failure: twice as many attempts, with the same growing pauses."""
SUSPECT_SECONDS: Final = 5.0
"""How long a server that failed is asked only when no other is left."""

Sleep = Callable[[float], Awaitable[None]]
Result = TypeVar("Result")


class Server:
    """One server as the pool sees it. Belongs to one event loop."""

    def __init__(self, connection: Connection, limiter: Limiter) -> None:
        self.connection = connection
        self.limiter = limiter
        self.suspect_until = 0.0
        self.served: Served | None = None
        self._discovery = Shared(self._discovered)

    async def what_it_serves(self) -> Served:
        """Its model and context, asked for once: whoever comes meanwhile waits for the same answer, or failure."""
        return self.served or await self._discovery()

    async def _discovered(self) -> Served:
        self.served = await self.connection.discover()
        return self.served


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
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        random: Callable[[], float] = lambda: 0.5,
        observer: Observer | None = None,
    ) -> None:
        self._settings = settings
        self._observer = observer or Nobody()
        self._clock, self._sleep, self._random = clock, sleep, random
        self._urls = addresses(settings)
        self._servers = [
            Server(Connection(url, settings), Limiter(settings.concurrency_limit, clock=clock))
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
                again = ask if attempt == 1 else _renamed(ask, attempt)
                answering = server.connection.answer(again, served, spoken)
                return await observed(answering, self._observer, self._clock)

        return await self._tried(affinity, answered)

    async def is_up(self) -> bool:
        """Whether any server makes a token. Blocks for ten seconds at most."""
        outcomes = await asyncio.gather(*(self._probe(server) for server in self._servers))
        return any(outcome is None for outcome in outcomes)

    async def _tried(self, affinity: str, call: Callable[[Server, int], Awaitable[Result]]) -> Result:
        order = ranked(self._urls, affinity)
        attempt = spent = 0
        while True:
            attempt += 1
            server = self._choose(order)
            try:
                return await call(server, attempt)
            except (ContextExceeded, Rejected):
                raise
            except ServerProblem as problem:
                self._note(server, problem)
                spent += _cost(problem)
                if spent >= self._settings.attempts * OVERLOAD_ATTEMPTS_FACTOR or self._is_final(problem):
                    raise await self._verdict(problem) from problem
                await self._sleep(self._pause(problem, attempt))

    def _choose(self, order: Sequence[int]) -> Server:
        now = self._clock()
        preferred = [self._servers[index] for index in order]
        return min(preferred, key=lambda server: max(server.suspect_until - now, 0.0))

    def _note(self, server: Server, problem: ServerProblem) -> None:
        if isinstance(problem, Overloaded | TooSlow):
            server.limiter.overloaded()
        if not isinstance(problem, Overloaded):
            server.suspect_until = self._clock() + SUSPECT_SECONDS
            server.served = None  # whoever comes back may serve something else

    def _is_final(self, problem: ServerProblem) -> bool:
        return isinstance(problem, AccessRefused) and len(self._servers) == 1

    def _pause(self, problem: ServerProblem, attempt: int) -> float:
        if isinstance(problem, Overloaded) and problem.retry_after_seconds is not None:
            return problem.retry_after_seconds
        longest = min(BACKOFF_SECONDS * 2.0 ** (attempt - 1), BACKOFF_LIMIT_SECONDS)
        return longest * (0.5 + self._random() / 2)

    async def _verdict(self, problem: ServerProblem) -> DependencyDown | EnrichmentFailed:
        """The record's fault or everybody's: a server that answers a probe is up."""
        if not await self.is_up():
            return DependencyDown(DEPENDENCY, f"no vLLM server can be used: {problem}")
        return EnrichmentFailed(f"the vLLM server failed this request: {problem}")

    async def _probe(self, server: Server) -> Exception | None:
        try:
            await server.connection.probe(await server.what_it_serves())
        except Exception as problem:  # noqa: BLE001 - whatever keeps a server from a token, it is not up
            server.served = None
            return problem
        server.suspect_until = 0.0
        return None


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


def _cost(problem: ServerProblem) -> int:
    """Of a budget counted in half attempts; a request that hung has used up patience twice."""
    if isinstance(problem, Overloaded):
        return 1
    return 4 if isinstance(problem, TooSlow) else OVERLOAD_ATTEMPTS_FACTOR


def _renamed(ask: Ask, attempt: int) -> Ask:
    return Ask(
        ask.prompt,
        ask.max_completion_tokens,
        ask.temperature,
        f"{ask.request_id}:{attempt}",
        ask.schema,
        ask.schema_name,
        ask.lane,
        ask.salt,
    )
