"""The watch of services that are down: probes each until it answers again."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from consumers.runtime.monitoring.poller import Poller
from consumers.runtime.monitoring.probes import probe
from schemas.clock import Clock

BACK_OFF_LIMIT_SECONDS: Final = 60.0
"""Cap on the first probe's back-off; also the longest a healthy service stays unused after false recoveries."""


@dataclass(slots=True)
class _Outage:
    """A service that is down. ``probe_at`` is when it is probed next."""

    probe_at: float
    probe_count: int = 0


class DependencyWatch:
    """Probes each watched service every ``interval_seconds`` until it answers, and reports each recovery once.

    ``is_up`` may block. ``on_recovery`` is called with the service and the number of probes, on the watch's
    thread; it must not block.
    """

    def __init__(
        self,
        is_up: Callable[[str], bool],
        *,
        interval_seconds: float,
        on_recovery: Callable[[str, int], None],
        clock: Clock,
    ) -> None:
        self._is_up = is_up
        self._interval_seconds = interval_seconds
        self._on_recovery = on_recovery
        self._clock = clock
        self._outages: dict[str, _Outage] = {}
        self._lock = threading.Lock()
        self._poller = Poller("dependencies", self._polls)

    def start(self) -> None:
        """Start the thread. Returns at once; call it once."""
        self._poller.start()

    def watch(self, dependency: str, *, relapses: int = 0) -> None:
        """Probe this service until it answers. From any thread; never blocks for long; safe to repeat.

        The first probe comes after one interval, doubled for each of ``relapses``: recoveries after which the
        service failed again.
        """
        probe_at = self._clock.monotonic() + back_off_seconds(self._interval_seconds, relapses)
        with self._lock:
            self._outages.setdefault(dependency, _Outage(probe_at))
        self._poller.wake()

    def stop(self) -> None:
        """Stop probing. Does not wait for a probe in progress."""
        self._poller.stop()

    def _polls(self) -> Iterator[float | None]:
        while True:
            yield self._poll()

    def _poll(self) -> float | None:
        """Probe the service that is due first, and return the seconds until the next is due; None without any."""
        with self._lock:
            if not self._outages:
                return None
            dependency, outage = min(self._outages.items(), key=lambda item: item[1].probe_at)
        if (left_seconds := outage.probe_at - self._clock.monotonic()) > 0:
            return left_seconds
        self._probe(dependency, outage)
        return 0.0

    def _probe(self, dependency: str, outage: _Outage) -> None:
        answers = probe(self._is_up, dependency)
        with self._lock:
            outage.probe_count += 1
            outage.probe_at = self._clock.monotonic() + self._interval_seconds
            if answers:
                del self._outages[dependency]
        if answers:
            self._on_recovery(dependency, outage.probe_count)


def back_off_seconds(interval_seconds: float, relapses: int) -> float:
    """Return the wait before the first probe: one interval, doubled for each relapse up to the cap."""
    return min(interval_seconds * 2.0**relapses, max(interval_seconds, BACK_OFF_LIMIT_SECONDS))
