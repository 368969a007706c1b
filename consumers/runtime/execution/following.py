"""Records that wait for another record of the same job, without a worker."""

from consumers.runtime.partition import AssignedPartition, Flight
from schemas.kafka.records import Coordinates


class Following:
    """The flights that wait for another flight of this process to end. The owner thread's alone.

    A flight ends when its record is no longer in flight: it was completed, cancelled, retried or dead-lettered, or
    its partition was lost and its worker has returned. A follower waits only for a flight that was running when
    the follower met it, so no two can wait for each other, and a leader never needs the room of its followers.
    """

    def __init__(self) -> None:
        self._in_flight: dict[Coordinates, list[Flight]] = {}
        self._followers: dict[Flight, list[Flight]] = {}
        self._released: list[Flight] = []

    def begin(self, flight: Flight) -> None:
        """Note that a record is in flight."""
        self._in_flight.setdefault(flight.origin, []).append(flight)

    def wait(self, follower: Flight, leader: Coordinates) -> None:
        """Hold ``follower`` until the flight whose record was first read at ``leader`` ends.

        Releases it at once when there is none. A record that is read again after its partition came back follows
        its own earlier attempt: same coordinates, another flight.
        """
        flights = [flight for flight in self._in_flight.get(leader, ()) if flight is not follower]
        if flights:
            self._followers.setdefault(flights[0], []).append(follower)
        else:
            self._released.append(follower)

    def end(self, flight: Flight) -> None:
        """Note that a record is no longer in flight, and release its followers. Safe to repeat."""
        flights = self._in_flight.get(flight.origin, [])
        if flight in flights:
            flights.remove(flight)
        if not flights:
            self._in_flight.pop(flight.origin, None)
        self._released += self._followers.pop(flight, ())

    def take_released(self) -> list[Flight]:
        """Return the followers that may run again, each once."""
        released, self._released = self._released, []
        return released

    def drop(self, partition: AssignedPartition) -> list[Flight]:
        """Forget the followers of a partition that is released, and return them."""
        dropped = [flight for flight in self._released if flight.partition is partition]
        self._released = [flight for flight in self._released if flight.partition is not partition]
        for leader, followers in self._followers.items():
            dropped += [flight for flight in followers if flight.partition is partition]
            self._followers[leader] = [flight for flight in followers if flight.partition is not partition]
        return dropped
