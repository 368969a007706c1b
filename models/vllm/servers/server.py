"""One server as the pool sees it: what it serves, whether it is trusted, and when somebody looks at it again."""

from dataclasses import replace
from typing import Final

from models.vllm.servers.client import Connection
from models.vllm.servers.limiter import Limiter
from models.vllm.servers.problems import (
    ContextExceeded,
    Overloaded,
    Rejected,
    ServerFailed,
    ServerProblem,
    TooSlow,
)
from models.vllm.servers.wire import Served
from models.vllm.tasks import SingleFlight
from schemas.clock import Clock

SUSPECT_SECONDS: Final = 5.0
"""How long nobody looks at a server that failed. Doubles with every look that found it failing."""
SUSPECT_LIMIT_SECONDS: Final = 80.0


class Server:
    """Trusted until it fails, suspect until it makes a token again. Belongs to one event loop."""

    def __init__(self, connection: Connection, limiter: Limiter, *, clock: Clock) -> None:
        self.connection = connection
        self.limiter = limiter
        self._clock = clock
        self._served: Served | None = None
        self._look_at: float | None = None
        self._wait_seconds = SUSPECT_SECONDS
        self._discovery = SingleFlight(self._discovered)
        self._probing = SingleFlight(self._probed)

    @property
    def is_suspect(self) -> bool:
        """Whether it failed, and has made no token since."""
        return self._look_at is not None

    async def what_it_serves(self) -> Served:
        """Its model and context, asked for once: whoever comes meanwhile waits for the same answer, or failure."""
        return self._served or await self._discovery()

    def answered(self) -> None:
        """It made tokens: it is trusted."""
        self._look_at, self._wait_seconds = None, SUSPECT_SECONDS

    def failed(self, problem: ServerProblem) -> None:
        """A request came to nothing. Being busy makes no server suspect."""
        if isinstance(problem, Overloaded | TooSlow):
            self.limiter.overloaded()
        if not isinstance(problem, Overloaded):
            self._served = None  # whoever comes back may serve something else
            if not self.is_suspect:
                self._look_at = self._clock.monotonic() + self._wait_seconds

    def exceeded(self, problem: ContextExceeded) -> None:
        """It has less context than it is known for, where it says how much."""
        if self._served is not None and problem.context_tokens is not None:
            context = min(problem.context_tokens, self._served.context_tokens)
            self._served = replace(self._served, context_tokens=context)

    def look_when_due(self) -> None:
        """Has a suspect probed in the background, when it is time: no request waits for that."""
        if self._look_at is not None and self._clock.monotonic() >= self._look_at:
            self._probing.start()

    async def probe(self) -> ServerProblem | None:
        """What keeps it from making a token, if anything does; asked once for all who wait for it."""
        return await self._probing()

    async def _discovered(self) -> Served:
        self._served = await self.connection.discover()
        return self._served

    async def _probed(self) -> ServerProblem | None:
        try:
            await self.connection.probe(await self.what_it_serves())
        except Exception as error:  # noqa: BLE001 - whatever keeps a server from a token, it is not up
            problem = _its_own(error)
            self._served = None
            if self.is_suspect or not isinstance(problem, Overloaded):
                self._look_at = self._clock.monotonic() + self._wait_seconds
                self._wait_seconds = min(self._wait_seconds * 2, SUSPECT_LIMIT_SECONDS)
            return problem
        self.answered()
        return None


def _its_own(error: Exception) -> ServerProblem:
    """A probe is nobody's record: what refuses it, or cannot be foreseen, is the server's problem."""
    if isinstance(error, ServerProblem) and not isinstance(error, ContextExceeded | Rejected):
        return error
    return ServerFailed(f"a probe failed: {error}")
