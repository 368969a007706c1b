"""An intake whose outcomes are settled, without a broker and without threads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer

from consumers.runtime.partition import Flight
from consumers.runtime.stage import Job
from schemas.events import Failure
from schemas.kafka.records import OutgoingRecord
from schemas.settings import RuntimeSettings
from tests.flow.stages import TOPIC, CommandStage
from tests.unit.runtime.taking_in import TakingIn, unconnected

OUTPUT = OutgoingRecord("out", b"key", b"done")


class MuteableStage(CommandStage):
    """Fails to say that a record failed, when it is told to."""

    mute = False

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """Raises what a stage should not."""
        if self.mute:
            raise ZeroDivisionError("a mistake of the stage")
        return super().failed(job, failure)


class Settling:
    """A runtime whose attempts end as the test says; what leaves lies in ``left``."""

    def __init__(self, consumer: Consumer, committed: Sequence[tuple[int, str]]) -> None:
        self.stage = MuteableStage()
        self.bench = TakingIn(
            consumer, committed, TOPIC, RuntimeSettings(retry_delays_seconds=(10, 60)), stage=self.stage
        )
        self.registry = self.bench.registry
        self.watch = self.bench.runtime.dependency_watch
        self.settlement = self.bench.runtime.settlement

    def take(self, *offsets: int) -> list[Flight]:
        """The flights of records that arrived now, handed over and begun."""
        self.bench.arrive(*offsets)
        flights = [flight for _ in range(3) for flight in self.bench.turn()]
        for flight in flights:
            flight.begin()
        return flights

    def end(
        self, flight: Flight, outcome: BaseException | OutgoingRecord | None = None, *, seconds: float = 0.0
    ) -> None:
        """The attempt came back like this, and is settled."""
        flight.end(
            (outcome,) if isinstance(outcome, OutgoingRecord) else (),
            outcome if isinstance(outcome, BaseException) else None,
            seconds,
            flight.bound,
        )
        self.settlement.settle(flight)

    def left(self) -> list[OutgoingRecord]:
        """What goes to the broker because of it."""
        self.bench.committer.submit()
        return [output for batch, _ in self.bench.outbox.batches for output in batch.outputs]

    def sample(self, name: str, **labels: str) -> float:
        """A metric of this stage; 0 when it was never set."""
        return self.registry.get_sample_value(name, {"stage": "commands", **labels}) or 0.0

    def settled(self, outcome: str) -> float:
        """How many records ended so."""
        labels = {"topic": "in", "outcome": outcome}
        return self.registry.get_sample_value("kascribe_records_settled_total", labels) or 0.0


@contextmanager
def settling(*committed: tuple[int, str]) -> Iterator[Settling]:
    """An intake of one partition, or as given."""
    with unconnected() as consumer:
        yield Settling(consumer, committed or ((0, ""),))
