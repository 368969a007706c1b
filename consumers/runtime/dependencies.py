"""Looks, off the owner thread, whether a service that is down answers again."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

_log: Final = structlog.get_logger(__name__)


class DependencyWatch:
    """Asks ``is_up`` about what it watches, every ``interval_seconds``, and reports each recovery once.

    ``is_up`` may block; ``recovered`` is called on the watch's thread and must not.
    """

    def __init__(
        self, is_up: Callable[[str], bool], *, interval_seconds: float, recovered: Callable[[str], None]
    ) -> None:
        self._is_up = is_up
        self._interval_seconds = interval_seconds
        self._recovered = recovered
        self._watched: set[str] = set()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="dependencies", daemon=True)

    def start(self) -> None:
        """Returns at once; to be called once."""
        self._thread.start()

    def watch(self, dependency: str) -> None:
        """Begins to ask; the first time after one interval. Never blocks for long; safe to repeat."""
        with self._changed:
            self._watched.add(dependency)
            self._changed.notify()

    def stop(self) -> None:
        """Does not wait for a question that is being asked."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while self._wait():
            for dependency in sorted(self._watched):
                if self._answers(dependency):
                    with self._changed:
                        self._watched.discard(dependency)
                    self._recovered(dependency)

    def _wait(self) -> bool:
        """Until it is time to ask. False: stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._watched or self._stopped)
            self._changed.wait_for(lambda: self._stopped, self._interval_seconds)
            return not self._stopped

    def _answers(self, dependency: str) -> bool:
        try:
            return self._is_up(dependency)
        except Exception:  # noqa: BLE001 - the watch must outlive a stage's mistakes
            _log.exception(
                "the stage failed to say whether a dependency is up; taken for down", dependency=dependency
            )
            return False
