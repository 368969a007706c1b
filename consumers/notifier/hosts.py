"""What each receiving host may cost this process: deliveries at once, and rest after failures in a row.

Pure but for its lock: the time is passed in. A host that is slow or down delays its own events alone.
"""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from consumers.runtime.ports import FollowsAnother
from schemas.errors import WebhookFailed, WebhookPostponed
from schemas.kafka.records import Coordinates

FAILURES_IN_A_ROW: Final = 5
"""After so many a host rests."""
WAITING_PER_PLACE: Final = 3
"""Records that wait here for each delivery in flight to their host; more wait in a retry topic."""
HOSTS_LIMIT: Final = 10_000
"""Hosts that are remembered; beyond it those without a delivery in flight are forgotten."""


@dataclass(slots=True)
class _Host:
    in_flight: deque[Coordinates] = field(default_factory=deque)
    waiting: dict[Coordinates, float] = field(default_factory=dict)
    failures: int = 0
    rests_until: float = 0.0


class Hosts:
    """The receiving hosts. Thread-safe; never blocks. ``now`` is monotonic time, in seconds."""

    def __init__(self, *, concurrency: int, rest_seconds: float, patience_seconds: float) -> None:
        """Let a host rest for ``rest_seconds``; a record that waits is forgotten after ``patience_seconds``."""
        self._concurrency = concurrency
        self._rest_seconds = rest_seconds
        self._patience_seconds = patience_seconds
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def enter(self, name: str, origin: Coordinates, *, is_last: bool, now: float) -> None:
        """Take a place at a host for a record; call ``leave`` when its delivery has ended.

        Raises FollowsAnother while every place is taken, WebhookPostponed when too many records wait for one, and
        WebhookFailed while the host rests; a last attempt is made all the same.
        """
        with self._lock:
            host = self._host(name)
            host.waiting.pop(origin, None)
            if now < host.rests_until and not is_last:
                raise WebhookFailed(
                    f"{name} failed {host.failures} times in a row, and is left alone for "
                    f"{host.rests_until - now:.0f} s; this event was not tried",
                    retry_after_seconds=host.rests_until - now,
                )
            if len(host.in_flight) >= self._concurrency:
                self._wait(name, host, origin, now)
            if host.failures >= FAILURES_IN_A_ROW:
                # One delivery tries whether the host is back; the others wait for what it finds.
                host.rests_until = now + self._rest_seconds
            host.in_flight.append(origin)

    def leave(
        self, name: str, origin: Coordinates, *, succeeded: bool, now: float, rest_seconds: float = 0.0
    ) -> None:
        """Give a place back. ``rest_seconds``: as long as the host asked to be left alone."""
        with self._lock:
            host = self._host(name)
            if origin in host.in_flight:
                host.in_flight.remove(origin)
            host.failures = 0 if succeeded else host.failures + 1
            if succeeded:
                host.rests_until = 0.0
            elif host.failures >= FAILURES_IN_A_ROW or rest_seconds:
                host.rests_until = now + max(self._rest_seconds, rest_seconds)

    def _wait(self, name: str, host: _Host, origin: Coordinates, now: float) -> None:
        for other, since in list(host.waiting.items()):
            if now - since > self._patience_seconds:
                del host.waiting[other]
        if len(host.waiting) >= WAITING_PER_PLACE * self._concurrency:
            raise WebhookPostponed(f"{len(host.waiting)} other events wait for {name}; this one was not tried yet")
        host.waiting[origin] = now
        # Each delivery that ends lets those run that follow it: spread evenly.
        host.in_flight.rotate(-1)
        raise FollowsAnother(host.in_flight[0])

    def _host(self, name: str) -> _Host:
        if name not in self._hosts and len(self._hosts) >= HOSTS_LIMIT:
            self._hosts = {each: host for each, host in self._hosts.items() if host.in_flight}
        return self._hosts.setdefault(name, _Host())
