"""One request's way through the servers, as decisions: whom to ask next, after which pause, when to give up."""

from collections.abc import Callable, Hashable, Sequence
from typing import Final, Generic, TypeVar

from models.vllm.servers.problems import AccessRefused, Overloaded, ServerProblem, TooSlow

BACKOFF_SECONDS: Final = 0.25
BACKOFF_LIMIT_SECONDS: Final = 8.0
OVERLOAD_ATTEMPTS_FACTOR: Final = 2
"""Being told to wait is not a failure: twice as many attempts, with the same growing pauses."""

Name = TypeVar("Name", bound=Hashable)


class Trial(Generic[Name]):
    """Every server is tried before the request is given up, and its favourite twice when it is merely busy.

    ``names`` come in the request's order of preference; ``attempts`` bounds what follows when all were tried.
    """

    def __init__(self, names: Sequence[Name], *, attempts: int) -> None:
        self._names = names
        self._left = attempts * OVERLOAD_ATTEMPTS_FACTOR
        self._failures: dict[Name, int] = {}
        self._last: dict[Name, ServerProblem] = {}

    def next(self, is_suspect: Callable[[Name], bool]) -> Name | None:
        """Whom to ask: who failed this request least, then who is trusted. None: give up."""
        names = [name for name in self._names if not isinstance(self._last.get(name), AccessRefused)]
        if self._left <= 0:
            names = [name for name in names if name not in self._last]
        return min(names, key=lambda name: (self._failures.get(name, 0), is_suspect(name)), default=None)

    def failed(self, name: Name, problem: ServerProblem) -> None:
        """It was asked in vain."""
        again = isinstance(self._last.get(name), Overloaded)
        self._left -= _cost(problem)
        self._last[name] = problem
        if not isinstance(problem, Overloaded) or again or problem.retry_after_seconds is not None:
            self._failures[name] = self._failures.get(name, 0) + 1

    def pause_seconds(self, name: Name, attempt: int, random: float) -> float | None:
        """How long to wait before it is asked, ``attempt`` requests having failed. None: for the first time."""
        problem = self._last.get(name)
        if problem is None:
            return None
        if isinstance(problem, Overloaded) and problem.retry_after_seconds is not None:
            return problem.retry_after_seconds
        longest = min(BACKOFF_SECONDS * 2.0 ** (attempt - 1), BACKOFF_LIMIT_SECONDS)
        return longest * (0.5 + random / 2)


def _cost(problem: ServerProblem) -> int:
    """Of a budget counted in half attempts; a request that hung has used up patience twice."""
    if isinstance(problem, Overloaded):
        return 1
    return 4 if isinstance(problem, TooSlow) else OVERLOAD_ATTEMPTS_FACTOR
