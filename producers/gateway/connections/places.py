"""The places that connections take, and which connection makes room for another. Knows no sockets."""

from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from producers.gateway.connections.limits import KEPT_CONNECTIONS, Limits
from producers.gateway.connections.ports import Connection
from producers.gateway.connections.refusals import Refusal

UNKNOWN_ADDRESS: Final = "unknown"

GRACE_SECONDS: Final = 0.25
"""Before a connection that waits for headers can be closed to make room: clients send them with their connection,
and a flood of connections must not close those of others before they are read."""


ConnectionT = TypeVar("ConnectionT", bound=Connection)


@dataclass(frozen=True, slots=True)
class Admission(Generic[ConnectionT]):
    """What becomes of a new connection: ``refusal`` says why it or, in its favour, ``evicted`` is closed."""

    is_admitted: bool
    refusal: Refusal | None = None
    evicted: ConnectionT | None = None


@dataclass(slots=True)
class Places(Generic[ConnectionT]):
    """Which connections are open, by address, and which of them wait for the headers of a request.

    When the places are taken, the connection that has waited longest makes room, but none that has just come.
    Until one can, new connections get the places kept for health and metrics; then none is accepted for a moment.
    """

    limits: Limits
    _open: dict[str, dict[ConnectionT, None]] = field(default_factory=dict)
    _waiting: dict[ConnectionT, float] = field(default_factory=dict)
    _waiting_of: dict[str, dict[ConnectionT, None]] = field(default_factory=dict)
    _count: int = 0
    _kept_count: int = 0

    def __len__(self) -> int:
        return self._count

    def admit(self, connection: ConnectionT, *, now: float) -> Admission[ConnectionT]:
        """Take a place for a new connection; the caller closes the one that is evicted for it, or the new one."""
        refusal = self._limit_reached(connection.address)
        if refusal is None:
            self._add(connection, now)
            return Admission(True)
        waiting = (
            self._waiting_of.get(connection.address, {})
            if refusal is Refusal.CLIENT_CONNECTIONS
            else self._waiting
        )
        victim = next(iter(waiting), None)
        if victim is not None and now - self._waiting[victim] >= GRACE_SECONDS:
            self.remove(victim)
            connection.is_kept = victim.is_kept
            self._add(connection, now)
            return Admission(True, refusal, victim)
        if self._kept_count >= KEPT_CONNECTIONS:
            return Admission(False, refusal)
        connection.is_kept = True
        self._add(connection, now)
        return Admission(True)

    def pause_seconds(self, *, now: float) -> float:
        """Return for how long no connection should be accepted: until one that waits can make room; 0 mostly."""
        oldest = next(iter(self._waiting.values()), None)
        if self._kept_count < KEPT_CONNECTIONS or oldest is None:
            return 0.0
        return max(0.0, GRACE_SECONDS - (now - oldest))

    def wait(self, connection: ConnectionT, *, now: float) -> None:
        """Note that a connection waits for the headers of a request from now on."""
        if connection in self._open.get(connection.address, ()):
            self.serve(connection)
            self._waiting[connection] = now
            self._waiting_of.setdefault(connection.address, {})[connection] = None

    def serve(self, connection: ConnectionT) -> None:
        """Note that a request is in progress on a connection, which is not evicted until it waits again."""
        if self._waiting.pop(connection, None) is not None:
            of_address = self._waiting_of[connection.address]
            del of_address[connection]
            if not of_address:
                del self._waiting_of[connection.address]

    def remove(self, connection: ConnectionT) -> None:
        """Give up a connection's place. Safe to repeat."""
        of_address = self._open.get(connection.address, {})
        if connection in of_address:
            self.serve(connection)
            del of_address[connection]
            self._count -= 1
            self._kept_count -= connection.is_kept
            if not of_address:
                del self._open[connection.address]

    def longest_waiting(self) -> ConnectionT | None:
        """Return the connection that has waited longest for headers, if any waits."""
        return next(iter(self._waiting), None)

    def overdue(self, *, now: float) -> list[ConnectionT]:
        """Return the connections that have waited too long for the headers of a request."""
        late = []
        for connection, since in self._waiting.items():
            if now - since < self.limits.header_seconds:
                break  # in the order in which they began to wait
            late.append(connection)
        return late

    def _limit_reached(self, address: str) -> Refusal | None:
        if len(self._open.get(address, ())) >= self.limits.client_connections:
            return Refusal.CLIENT_CONNECTIONS
        return Refusal.CONNECTIONS if self._count >= self.limits.connections else None

    def _add(self, connection: ConnectionT, now: float) -> None:
        self._open.setdefault(connection.address, {})[connection] = None
        self._count += 1
        self._kept_count += connection.is_kept
        self.wait(connection, now=now)
