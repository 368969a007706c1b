"""Asks the services that every record needs, also while no record asks them."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from schemas.clock import Clock

PROBE_SECONDS: Final = 5.0
"""Between two questions to a service; with what counts as silence, an outage is seen within twenty seconds."""

_log: Final = structlog.get_logger(__name__)


class Probes:
    """Notes when each service last answered. A service that hangs is told from one that answers by time alone.

    ``is_up`` may block. It is called on a thread of the service's own, so that one that hangs hides no other.
    """

    def __init__(
        self,
        is_up: Callable[[str], bool],
        services: Sequence[str],
        *,
        clock: Clock,
        interval_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._is_up = is_up
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._answered_at = dict.fromkeys(services, clock.monotonic())
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(service,), name=f"probe-{service}", daemon=True)
            for service in services
        ]

    @property
    def answered_at(self) -> Mapping[str, float]:
        """When each service last answered, in the clock's monotonic seconds. From any thread."""
        return dict(self._answered_at)

    def start(self) -> None:
        """Return at once; to be called once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Do not wait for a question that is being asked."""
        self._stopped.set()

    def _run(self, service: str) -> None:
        while not self._stopped.wait(self._interval_seconds):
            if self._answers(service):
                self._answered_at[service] = self._clock.monotonic()

    def _answers(self, service: str) -> bool:
        try:
            return self._is_up(service)
        except Exception:  # noqa: BLE001 - the probe must outlive a stage's mistakes
            _log.exception("the stage failed to say whether a service is up; taken for down", service=service)
            return False
