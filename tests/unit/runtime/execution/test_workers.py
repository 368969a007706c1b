"""Which records the threads of a stage run first."""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from consumers.runtime.execution.workers import BULK_TURN, Workers
from consumers.runtime.offsets.books import Books
from consumers.runtime.partition import AssignedPartition, Flight
from consumers.runtime.ports import Job
from schemas.events import AudioReference, Failure
from schemas.kafka import wire
from schemas.kafka.records import OutgoingRecord, Record
from schemas.kafka.trace import Trace
from schemas.kafka.wire import trace_of
from schemas.options import Lane
from tests.support.waiting import eventually


class HoldingStage:
    """A stage that holds every record whose key begins with ``hold`` until released, and notes the order."""

    name = "holding"
    topics = ("t",)
    retried_topics = ("t",)

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.let_go: dict[str, threading.Event] = {}

    @property
    def services(self) -> tuple[str, ...]:
        """No services."""
        return ()

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Note that the record began; block while it is held."""
        key = (job.record.key or b"").decode()
        gate = self.let_go.setdefault(key, threading.Event())
        self.begun.append(key)
        if key.startswith("hold"):
            gate.wait(60)
        return ()

    def failed(self, _job: Job, _failure: Failure) -> Sequence[OutgoingRecord]:
        """Return no outputs."""
        return ()

    def dependency_is_up(self, _dependency: str) -> bool:
        """Return True: there is no dependency."""
        return True


def job_of(flight: Flight) -> Job:
    """Build a job that reports and weighs nothing, and is never cancelled."""
    return Job(
        flight.record,
        flight.origin,
        flight.attempt,
        trace_of(flight.record),
        lambda _: None,
        lambda _: None,
        lambda: False,
        lambda _: False,
    )


class WorkersBench:
    """Workers with one thread for everything, and one more for the interactive lane."""

    def __init__(self) -> None:
        self.stage = HoldingStage()
        self.done: list[Flight] = []
        self.workers = Workers(self.stage, threads=1, done=self.done.append)
        self.workers.start()

    def submit(self, key: str, lane: Lane = Lane.BULK) -> None:
        """Submit a reference as our producers write it."""
        event = AudioReference(
            event_id=key, occurred_at=datetime(2026, 1, 1, tzinfo=UTC), uri="s3://a/b", lane=lane
        )
        sent = wire.encode(event, topic="t", key=key, trace=Trace.start())
        record = Record("t", 0, 0, sent.key, sent.value, sent.headers)
        books = Books(None, holder="h", wary_records=0, killer_attempts=3)
        partition = AssignedPartition(("t", 0), books, epoch=1)
        self.workers.submit(Flight(record, partition, job_of, origin=record.coordinates, attempt=1, taken_at=0.0))

    def wait_until_running(self, key: str) -> None:
        """Wait until a record runs."""
        eventually(lambda: key in self.stage.begun, timeout_seconds=60, what=f"the start of {key}")

    def wait_until_done(self, count: int) -> None:
        """Wait until so many records are done."""
        eventually(lambda: len(self.done) == count, timeout_seconds=60, what="the end of all records")


@pytest.fixture
def bench() -> Iterator[WorkersBench]:
    """Yield workers; all held records are released at the end."""
    each = WorkersBench()
    yield each
    for gate in list(each.stage.let_go.values()):
        gate.set()
    each.workers.stop()


def test_an_interactive_record_runs_while_bulk_holds_every_thread(bench: WorkersBench) -> None:
    """However long the others take."""
    bench.submit("hold bulk")
    bench.wait_until_running("hold bulk")
    bench.submit("bulk")
    bench.submit("clip", Lane.INTERACTIVE)
    bench.wait_until_done(1)
    assert bench.stage.begun == ["hold bulk", "clip"]


def test_interactive_records_overtake_bulk_ones_in_line_but_not_forever(bench: WorkersBench) -> None:
    """Periodically a bulk record has its turn, and each lane keeps its order."""
    bench.submit("hold bulk")
    bench.wait_until_running("hold bulk")
    bench.submit("hold clip", Lane.INTERACTIVE)
    bench.wait_until_running("hold clip")
    for number in range(3):
        bench.submit(f"bulk {number}")
    for number in range(2 * BULK_TURN):
        bench.submit(f"clip {number}", Lane.INTERACTIVE)
    bench.stage.let_go["hold bulk"].set()
    bench.wait_until_done(1 + 3 + 2 * BULK_TURN)
    order = bench.stage.begun[2:]
    assert order[: BULK_TURN - 2] == [f"clip {number}" for number in range(BULK_TURN - 2)]
    assert order[BULK_TURN - 2] == "bulk 0"
    assert order.index("bulk 1") == 2 * BULK_TURN - 2
    assert order[-1] == "bulk 2"


def test_bulk_records_run_in_the_order_in_which_they_came(bench: WorkersBench) -> None:
    """Without interactive records, there is one line."""
    keys = [f"bulk {number}" for number in range(50)]
    for key in keys:
        bench.submit(key)
    bench.wait_until_done(50)
    assert bench.stage.begun == keys
