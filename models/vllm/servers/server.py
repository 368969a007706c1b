"""State of one server in the pool: its model, whether it is suspect, and when it is probed again."""

from dataclasses import replace
from typing import Final

from models.vllm.servers.client import ServerClient
from models.vllm.servers.completion import ServedModel
from models.vllm.servers.limiter import Limiter
from models.vllm.servers.problems import (
    ContextExceeded,
    Overloaded,
    Rejected,
    ServerFailed,
    ServerProblem,
    TooSlow,
)
from models.vllm.tasks import SingleFlight
from schemas.clock import Clock

REPROBE_SECONDS: Final = 5.0
"""Delay before re-probing a failed server; doubles per failed probe."""
REPROBE_LIMIT_SECONDS: Final = 80.0


class Server:
    """Trusted until it fails, then suspect until it makes a token again. Belongs to one event loop."""

    def __init__(self, client: ServerClient, limiter: Limiter, *, clock: Clock) -> None:
        self.client = client
        self.limiter = limiter
        self._clock = clock
        self._model: ServedModel | None = None
        self._next_probe: float | None = None
        self._delay_seconds = REPROBE_SECONDS
        self._discovery = SingleFlight(self._discover)
        self._probing = SingleFlight(self._probe)

    @property
    def is_suspect(self) -> bool:
        """True from a failure until the server makes a token."""
        return self._next_probe is not None

    async def discover(self) -> ServedModel:
        """Return the model, requested once: concurrent callers share the result or the failure."""
        return self._model or await self._discovery()

    def on_success(self) -> None:
        """Trust the server: it made tokens."""
        self._next_probe, self._delay_seconds = None, REPROBE_SECONDS

    def on_failure(self, problem: ServerProblem) -> None:
        """Make the server suspect, unless it is only overloaded."""
        if isinstance(problem, Overloaded | TooSlow):
            self.limiter.on_overload()
        if not isinstance(problem, Overloaded):
            self._model = None  # a server that restarts may serve another model
            if not self.is_suspect:
                self._next_probe = self._clock.monotonic() + self._delay_seconds

    def on_context_exceeded(self, problem: ContextExceeded) -> None:
        """Correct the known context, where the server states a smaller one."""
        if self._model is not None and problem.context_tokens is not None:
            context = min(problem.context_tokens, self._model.context_tokens)
            self._model = replace(self._model, context_tokens=context)

    def probe_if_due(self) -> None:
        """Start probing a suspect in the background when its delay is over. Does not wait."""
        if self._next_probe is not None and self._clock.monotonic() >= self._next_probe:
            self._probing.start()

    async def probe(self) -> ServerProblem | None:
        """Return the problem that keeps the server from making a token, or None. Callers share a running probe."""
        return await self._probing()

    async def _discover(self) -> ServedModel:
        self._model = await self.client.discover()
        return self._model

    async def _probe(self) -> ServerProblem | None:
        try:
            await self.client.probe(await self.discover())
        except Exception as error:  # noqa: BLE001 - any error means that the server makes no tokens: it is not up
            problem = _server_problem(error)
            self._model = None
            if self.is_suspect or not isinstance(problem, Overloaded):
                self._next_probe = self._clock.monotonic() + self._delay_seconds
                self._delay_seconds = min(self._delay_seconds * 2, REPROBE_LIMIT_SECONDS)
            return problem
        self.on_success()
        return None


def _server_problem(error: Exception) -> ServerProblem:
    """Return a problem of the server: a probe belongs to no record, so a rejected one is the server's failure."""
    if isinstance(error, ServerProblem) and not isinstance(error, ContextExceeded | Rejected):
        return error
    return ServerFailed(f"a probe failed: {error}")
