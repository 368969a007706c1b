"""An intake whose outcomes are settled, without a broker and without threads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from consumers.runtime.flight import Flight
from consumers.runtime.monitoring.dependencies import DependencyWatch
from consumers.runtime.monitoring.metrics import Metrics
from consumers.runtime.settlement import Settlement
from consumers.runtime.stage import Job
from schemas.events import Failure
from schemas.kafka.records import OutgoingRecord
from schemas.settings import RuntimeSettings, Settings
from tests.flow.stages import CommandStage
from tests.unit.runtime.taking_in import TakingIn, taking_in

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
    """An intake whose outcomes are settled; what leaves lies in ``left``."""

    def __init__(self, bench: TakingIn) -> None:
        self.bench = bench
        self.registry = CollectorRegistry()
        self.stage = MuteableStage()
        self.watch = DependencyWatch(lambda _: False, interval_seconds=60, recovered=lambda *_: None)
        self.settlement = Settlement(
            self.stage,
            bench.intake,
            bench.outlet,
            self.watch,
            settings=Settings(runtime=RuntimeSettings(retry_delays_seconds=(10, 60))),
            metrics=Metrics(self.registry),
            clock=bench.clock,
        )

    def take(self, *offsets: int) -> list[Flight]:
        """The flights of records that arrived now, handed over and begun."""
        self.bench.arrive(*offsets)
        flights = [flight for _ in range(3) for flight in self.bench.turn()]
        for flight in flights:
            flight.started = True
        return flights

    def end(self, flight: Flight, outcome: BaseException | OutgoingRecord | None = None) -> None:
        """The attempt came back like this, and is settled."""
        flight.error = outcome if isinstance(outcome, BaseException) else None
        flight.outputs = (outcome,) if isinstance(outcome, OutgoingRecord) else ()
        self.settlement.settle(flight)

    def left(self) -> list[OutgoingRecord]:
        """What goes to the broker because of it."""
        self.bench.outlet.release()
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
    with taking_in(*(committed or ((0, ""),))) as bench:
        yield Settling(bench)
