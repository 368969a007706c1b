"""A runtime whose attempts are settled, without a broker and without threads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from confluent_kafka import Consumer

from consumers.runtime.partition import Flight
from consumers.runtime.ports import Job
from schemas.events import Failure
from schemas.kafka.records import OutgoingRecord
from schemas.settings import RuntimeSettings
from tests.flow.stages import TOPIC, CommandStage
from tests.unit.runtime.runtime_bench import RuntimeBench, unconnected

OUTPUT: Final = OutgoingRecord("out", b"key", b"done")


class MuteableStage(CommandStage):
    """A stage whose ``failed`` raises while ``mute`` is set."""

    mute = False

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """Raise what a stage should not."""
        if self.mute:
            raise ZeroDivisionError("a mistake of the stage")
        return super().failed(job, failure)


class SettlementBench:
    """A runtime whose attempts end as the test says; ``left`` returns what leaves it."""

    def __init__(self, consumer: Consumer, committed: Sequence[tuple[int, str]]) -> None:
        self.stage = MuteableStage()
        self.bench = RuntimeBench(
            consumer, committed, TOPIC, RuntimeSettings(retry_delays_seconds=(10, 60)), stage=self.stage
        )
        self.registry = self.bench.registry
        self.watch = self.bench.runtime.dependency_watch
        self.settlement = self.bench.runtime.settlement

    def take(self, *offsets: int) -> list[Flight]:
        """Let records arrive; return their flights, handed over and begun."""
        self.bench.arrive(*offsets)
        flights = [flight for _ in range(3) for flight in self.bench.turn()]
        for flight in flights:
            flight.begin()
        return flights

    def end(
        self, flight: Flight, outcome: BaseException | OutgoingRecord | None = None, *, seconds: float = 0.0
    ) -> None:
        """End an attempt with an outcome, and settle it."""
        flight.end(
            (outcome,) if isinstance(outcome, OutgoingRecord) else (),
            outcome if isinstance(outcome, BaseException) else None,
            seconds,
            flight.bound,
        )
        self.settlement.settle(flight)

    def left(self) -> list[OutgoingRecord]:
        """Return what was submitted to the broker."""
        self.bench.committer.submit()
        return [output for batch, _ in self.bench.outbox.batches for output in batch.outputs]

    def sample(self, name: str, **labels: str) -> float:
        """Read a metric of this stage; 0 when it was never set."""
        return self.registry.get_sample_value(name, {"stage": "commands", **labels}) or 0.0

    def settled(self, outcome: str) -> float:
        """Return how many records ended with this outcome."""
        labels = {"topic": "in", "outcome": outcome}
        return self.registry.get_sample_value("kascribe_records_settled_total", labels) or 0.0


@contextmanager
def settlement_bench(*committed: tuple[int, str]) -> Iterator[SettlementBench]:
    """Yield a bench with one partition, or those given."""
    with unconnected() as consumer:
        yield SettlementBench(consumer, committed or ((0, ""),))
