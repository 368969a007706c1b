"""Looks, off the owner thread, whether a service that is down answers again."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

_log: Final = structlog.get_logger(__name__)

PATIENCE_LIMIT_SECONDS: Final = 60.0
"""Before the first look, however often a recovery was none: so long at most a service that is well is not used."""


class DependencyWatch:
    """Asks ``is_up`` about what it watches, every ``interval_seconds``, and reports each recovery once.

    ``is_up`` may block; ``recovered`` is called on the watch's thread and must not: it hears how many looks it
    took.
    """

    def __init__(
        self, is_up: Callable[[str], bool], *, interval_seconds: float, recovered: Callable[[str, int], None]
    ) -> None:
        self._is_up = is_up
        self._interval_seconds = interval_seconds
        self._recovered = recovered
        # The moment of the next look, and how many there were.
        self._watched: dict[str, tuple[float, int]] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="dependencies", daemon=True)

    def start(self) -> None:
        """Returns at once; to be called once."""
        self._thread.start()

    def watch(self, dependency: str, *, relapses: int = 0) -> None:
        """Begins to ask; the first time after one interval, doubled for each of ``relapses``: recoveries that
        turned out to be none. Never blocks for long; safe to repeat."""
        look_at = time.monotonic() + patience_seconds(self._interval_seconds, relapses)
        with self._changed:
            self._watched.setdefault(dependency, (look_at, 0))
            self._changed.notify()

    def stop(self) -> None:
        """Does not wait for a question that is being asked."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while (dependency := self._next()) is not None:
            answers = self._answers(dependency)
            with self._changed:
                looks = self._watched.pop(dependency)[1] + 1
                if not answers:
                    self._watched[dependency] = (time.monotonic() + self._interval_seconds, looks)
            if answers:
                self._recovered(dependency, looks)

    def _next(self) -> str | None:
        """The dependency whose turn it is, once it is its time. None: stop."""
        with self._changed:
            while not self._stopped:
                if not self._watched:
                    self._changed.wait()
                    continue
                dependency, (at, _) = min(self._watched.items(), key=lambda item: item[1])
                if (left_seconds := at - time.monotonic()) <= 0:
                    return dependency
                self._changed.wait(left_seconds)
        return None

    def _answers(self, dependency: str) -> bool:
        try:
            return self._is_up(dependency)
        except Exception:  # noqa: BLE001 - the watch must outlive a stage's mistakes
            _log.exception(
                "the stage failed to say whether a dependency is up; taken for down", dependency=dependency
            )
            return False


def patience_seconds(interval_seconds: float, relapses: int) -> float:
    """How long to wait before the first look: one interval, twice as long for each recovery that was none."""
    return min(interval_seconds * 2.0**relapses, max(interval_seconds, PATIENCE_LIMIT_SECONDS))
