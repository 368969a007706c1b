"""Failover decisions for one request: the next server, the pause before it, and when to give up."""

from collections.abc import Callable, Hashable, Sequence
from typing import Final, Generic, TypeVar

from models.vllm.servers.problems import AccessRefused, Overloaded, ServerProblem, TooSlow

BACKOFF_SECONDS: Final = 0.25
BACKOFF_LIMIT_SECONDS: Final = 8.0
OVERLOAD_ATTEMPTS_FACTOR: Final = 2
"""An overload is not a failure: it allows twice as many attempts, with the same growing pauses."""

Name = TypeVar("Name", bound=Hashable)


class Failover(Generic[Name]):
    """Tries every server before giving up, and the preferred one twice when it is only overloaded.

    ``names`` are in the request's order of preference; ``attempts`` bounds retries once all were tried.
    """

    def __init__(self, names: Sequence[Name], *, attempts: int) -> None:
        self._names = names
        self._left = attempts * OVERLOAD_ATTEMPTS_FACTOR
        self._failures: dict[Name, int] = {}
        self._last: dict[Name, ServerProblem] = {}

    def next(self, is_suspect: Callable[[Name], bool]) -> Name | None:
        """Return the server that failed this request least, trusted before suspect. None: give up."""
        names = [name for name in self._names if not isinstance(self._last.get(name), AccessRefused)]
        if self._left <= 0:
            names = [name for name in names if name not in self._last]
        return min(names, key=lambda name: (self._failures.get(name, 0), is_suspect(name)), default=None)

    def on_failure(self, name: Name, problem: ServerProblem) -> None:
        """Record a failed attempt against this server."""
        again = isinstance(self._last.get(name), Overloaded)
        self._left -= _cost(problem)
        self._last[name] = problem
        if not isinstance(problem, Overloaded) or again or problem.retry_after_seconds is not None:
            self._failures[name] = self._failures.get(name, 0) + 1

    def pause_seconds(self, name: Name, attempt: int, random: float) -> float | None:
        """Return the pause before this server's next attempt, after ``attempt`` failed ones. None: its first."""
        problem = self._last.get(name)
        if problem is None:
            return None
        if isinstance(problem, Overloaded) and problem.retry_after_seconds is not None:
            return problem.retry_after_seconds
        longest = min(BACKOFF_SECONDS * 2.0 ** (attempt - 1), BACKOFF_LIMIT_SECONDS)
        return longest * (0.5 + random / 2)


def _cost(problem: ServerProblem) -> int:
    """Return the cost in half attempts. A request that hung counts twice: it has already cost its timeout."""
    if isinstance(problem, Overloaded):
        return 1
    return 4 if isinstance(problem, TooSlow) else OVERLOAD_ATTEMPTS_FACTOR
