"""How much is held: records, bytes, seconds of audio."""

from consumers.runtime.flight import Flight
from consumers.runtime.stage import Weight


class Load:
    """The sums over everything in flight. The owner thread's alone.

    ``undelivered_records`` are those that are settled while the broker has not confirmed their outputs.
    """

    def __init__(self) -> None:
        self.records = 0
        self.size_bytes = 0
        self.audio_seconds = 0.0
        self.undelivered_records = 0

    def add(self, flight: Flight) -> None:
        """The record is in flight from now on."""
        self.records += 1
        self.size_bytes += flight.record.size_bytes

    def remove(self, flight: Flight) -> None:
        """The record is in flight no more. To be called once per flight."""
        self.records -= 1
        self.size_bytes -= flight.record.size_bytes + flight.weight.object_size_bytes
        self.audio_seconds -= flight.weight.audio_seconds
        flight.settled = True

    def reweigh(self, flight: Flight, weight: Weight) -> None:
        """The stage knows more about a record. Ignored when the record is settled."""
        if not flight.settled:
            self.size_bytes += weight.object_size_bytes - flight.weight.object_size_bytes
            self.audio_seconds += weight.audio_seconds - flight.weight.audio_seconds
            flight.weight = weight
