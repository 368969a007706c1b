"""Probes of the services that every record needs, also while no record uses them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from consumers.runtime.monitoring.poller import Poller
from schemas.clock import Clock

PROBE_SECONDS: Final = 5.0
"""Between two probes of a service; together with SILENCE_SECONDS, an outage is noticed within twenty seconds."""

_log: Final = structlog.get_logger(__name__)


class Probes:
    """When each service last answered. Only time tells a service that hangs from one that answers.

    ``is_up`` may block. Each service is probed on a thread of its own, so that one that hangs hides no other.
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
        self._pollers = [Poller(f"probe-{service}", partial(self._polls, service)) for service in services]

    @property
    def answered_at(self) -> Mapping[str, float]:
        """When each service last answered, in the clock's monotonic seconds. From any thread."""
        return dict(self._answered_at)

    def start(self) -> None:
        """Start probing, first after one interval. Returns at once; call it once."""
        for poller in self._pollers:
            poller.start()

    def stop(self) -> None:
        """Stop probing. Does not wait for a probe in progress."""
        for poller in self._pollers:
            poller.stop()

    def _polls(self, service: str) -> Iterator[float]:
        while True:
            yield self._interval_seconds
            if probe(self._is_up, service):
                self._answered_at[service] = self._clock.monotonic()


def probe(is_up: Callable[[str], bool], service: str) -> bool:
    """Return whether the service answers; False if ``is_up`` raises. Blocks as ``is_up`` does."""
    try:
        return is_up(service)
    except Exception:  # noqa: BLE001 - the thread that probes must survive a stage's defects
        _log.exception("probe raised; the service counts as down", service=service)
        return False
