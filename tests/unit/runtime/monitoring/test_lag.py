"""The lag of the partitions held."""

from confluent_kafka import KafkaError
from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.runtime.monitoring.lag import LagMeter
from consumers.runtime.monitoring.membership import SILENCE_SECONDS
from consumers.runtime.monitoring.snapshot import PartitionView, Snapshot
from tests.support.clock import HandClock
from tests.unit.runtime.monitoring.admin_double import AdminDouble

COMMITTED = PartitionView(7, 9, 0, 0, 0.0, 0, 0, is_paused=False)
UNCOMMITTED = PartitionView(None, 3, 0, 0, 0.0, 0, 0, is_paused=False)


class Measuring:
    """A meter whose snapshot, broker and clock the test sets."""

    def __init__(self, **partitions: PartitionView) -> None:
        self.registry = CollectorRegistry()
        self.clock = HandClock()
        self.client = AdminDouble()
        self.client.ends = {(topic, 0): 10 for topic in partitions}
        self.snapshot = Snapshot(partitions={(topic, 0): view for topic, view in partitions.items()})
        self.meter = LagMeter(lambda: self.snapshot, metrics=Metrics(self.registry), clock=self.clock)

    def lag(self, topic: str) -> float | None:
        """Return the gauge's value; None if there is no series."""
        labels = {"topic": topic, "partition": "0"}
        return self.registry.get_sample_value("kascribe_consumer_lag_offsets", labels)


def test_lag_counts_from_the_commit_and_before_the_first_from_the_position() -> None:
    """The end of the log minus where a successor would begin."""
    measuring = Measuring(committed=COMMITTED, uncommitted=UNCOMMITTED)
    measuring.meter.measure(measuring.client)
    assert (measuring.lag("committed"), measuring.lag("uncommitted")) == (3, 7)


def test_the_lag_of_a_partition_that_is_no_longer_held_ends() -> None:
    """Its new holder reports it."""
    measuring = Measuring(committed=COMMITTED)
    measuring.meter.measure(measuring.client)
    measuring.snapshot = Snapshot()
    measuring.meter.expire()
    assert measuring.lag("committed") is None


def test_a_lag_that_cannot_be_measured_for_a_while_ends_instead_of_standing_still() -> None:
    """An old number would look like a lag that does not grow."""
    measuring = Measuring(committed=COMMITTED)
    measuring.meter.measure(measuring.client)
    measuring.client.error = KafkaError(KafkaError._TIMED_OUT)
    measuring.clock.seconds += SILENCE_SECONDS
    measuring.meter.measure(measuring.client)
    measuring.meter.expire()
    assert measuring.lag("committed") == 3
    measuring.clock.seconds += 1
    measuring.meter.expire()
    assert measuring.lag("committed") is None
