"""How much is held: records, bytes, seconds of audio."""

from consumers.runtime.admission import counted
from consumers.runtime.flight import Flight
from consumers.runtime.stage import Weight
from schemas.settings import RuntimeSettings


class Load:
    """The sums over everything in flight, and of that what counts towards the limits. The owner thread's alone.

    ``undelivered_records`` are those that are settled while the broker has not confirmed their outputs.
    """

    def __init__(self, limits: RuntimeSettings) -> None:
        self.records = 0
        self.size_bytes = 0
        self.audio_seconds = 0.0
        self.counted_bytes = 0
        self.counted_audio_seconds = 0.0
        self.undelivered_records = 0
        self._limits = limits

    def add(self, flight: Flight) -> None:
        """The record is in flight from now on."""
        self.records += 1
        self.size_bytes += flight.record.size_bytes
        self._count(flight, 1)

    def remove(self, flight: Flight) -> None:
        """The record is in flight no more. To be called once per flight."""
        self.records -= 1
        self.size_bytes -= flight.record.size_bytes + flight.weight.object_size_bytes
        self.audio_seconds -= flight.weight.audio_seconds
        self._count(flight, -1)
        flight.settled = True

    def reweigh(self, flight: Flight, weight: Weight) -> None:
        """The stage knows more about a record. Ignored when the record is settled."""
        if not flight.settled:
            self._count(flight, -1)
            self.size_bytes += weight.object_size_bytes - flight.weight.object_size_bytes
            self.audio_seconds += weight.audio_seconds - flight.weight.audio_seconds
            flight.weight = weight
            self._count(flight, 1)

    def _count(self, flight: Flight, sign: int) -> None:
        weight = counted(flight.weight, self._limits)
        self.counted_bytes += sign * (weight.object_size_bytes + flight.record.size_bytes)
        self.counted_audio_seconds += sign * weight.audio_seconds
