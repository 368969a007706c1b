"""The membership of this process, as the broker reports it."""

from confluent_kafka import KafkaError
from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.runtime.monitoring.broker_view import MembershipWatch
from consumers.runtime.monitoring.lag import LagMeter
from consumers.runtime.monitoring.membership import Membership
from consumers.runtime.monitoring.snapshot import Snapshot
from schemas.settings import KafkaSettings
from tests.support.clock import HandClock
from tests.unit.runtime.monitoring.admin_double import AdminDouble


class Watching:
    """A watch whose broker and clock the test sets; each ``poll`` asks the broker once."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.client = AdminDouble()
        lag = LagMeter(Snapshot, metrics=Metrics(CollectorRegistry()), clock=self.clock)
        self.watch = MembershipWatch(KafkaSettings(), lag, role="test", clock=self.clock)

    def poll(self) -> Membership:
        """Return the membership after one more request, a second later."""
        self.clock.seconds += 1
        self.watch.poll_once(self.client)
        return self.watch.membership


def test_before_this_process_has_joined_any_answer_confirms_that_the_broker_is_there() -> None:
    """The group may have members; which partitions will be this process's is unknown."""
    watching = Watching()
    watching.client.members = {"other": [("in", 0)]}
    assert watching.poll() == Membership(1, 1, has_answered=True, is_member=True, partitions=None)


def test_a_member_is_reported_with_the_partitions_that_the_broker_assigned_to_it() -> None:
    """And no others."""
    watching = Watching()
    watching.watch.set_member_id("own")
    watching.client.members = {"own": [("in", 0), ("in", 2)], "other": [("in", 1)]}
    assert watching.poll() == Membership(1, 1, True, True, frozenset({("in", 0), ("in", 2)}))


def test_a_process_that_the_broker_does_not_list_keeps_the_time_of_its_membership() -> None:
    """Health counts from there how long it has been outside."""
    watching = Watching()
    watching.watch.set_member_id("own")
    watching.client.members = {"own": []}
    watching.poll()
    watching.client.members = {"other": []}
    assert watching.poll() == Membership(2, 1, has_answered=True, is_member=False, partitions=frozenset())


def test_a_failed_request_keeps_the_last_answer_and_names_the_problem() -> None:
    """Until the broker answers again."""
    watching = Watching()
    watching.poll()
    watching.client.error = KafkaError(KafkaError._TIMED_OUT)
    assert watching.poll() == Membership(1, 1, has_answered=True, problem="Local: Timed out")
    watching.client.error = None
    assert watching.poll() == Membership(3, 3, has_answered=True)


def test_a_broker_that_cannot_describe_groups_counts_as_one_that_answers() -> None:
    """Brokers before the request existed; the client's own view is all there is."""
    watching = Watching()
    watching.watch.set_member_id("own")
    watching.client.error = KafkaError(KafkaError.UNSUPPORTED_VERSION)
    assert watching.poll() == Membership(1, 1, has_answered=True)
