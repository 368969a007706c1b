"""The transactional outbox on a real Kafka: all or nothing, fenced, and recovered from uncertain ends."""

import random
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from producers.outbox import TransactionalOutbox
from schemas.kafka import dead_letters
from schemas.kafka.delivery import Batch, Commit, Delivery, Partition
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings
from tests.flow.reading import records_on
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually


class Member:
    """A member of a group that holds a topic's only partition, and an outbox for its outputs."""

    def __init__(self, stack: PrivateStack) -> None:
        self.prefix = stack.new_topics("in", "out", "out.dlq")
        self.key: Partition = (f"{self.prefix}in", 0)
        self.settings = KafkaSettings(bootstrap_servers=stack.bootstrap_servers)
        self.group = f"{self.prefix}group"
        self.consumer = stack.consumer(**{"group.id": self.group, "group.protocol": "consumer"})
        self.consumer.subscribe([self.key[0]])
        eventually(lambda: self.consumer.poll(0.05) or self.consumer.assignment(), timeout_seconds=30)
        self.deliveries: list[Delivery] = []
        self._outboxes: list[TransactionalOutbox] = []
        self._stack = stack

    def outbox(self, transactional_id: str = "one") -> TransactionalOutbox:
        """Open an outbox, with short pauses."""
        outbox = TransactionalOutbox(
            self.settings,
            group_id=self.group,
            transactional_id=f"{self.prefix}{transactional_id}",
            retry_seconds=0.05,
        )
        self._outboxes.append(outbox)
        return outbox

    def batch(self, offset: int, *values: bytes) -> Batch:
        """Return outputs with the commit that covers them."""
        outputs = tuple(OutgoingRecord(f"{self.prefix}out", b"key", value) for value in values)
        commits = {self.key: Commit(offset, f"m{offset}")}
        return Batch(outputs, commits, self.consumer.consumer_group_metadata(), partition=self.key, owner=self)

    def committed(self) -> tuple[int, str]:
        """Return what the group has committed: offset and metadata."""
        reader = Consumer({"bootstrap.servers": self._stack.bootstrap_servers, "group.id": self.group})
        (position,) = reader.committed([TopicPartition(*self.key)], timeout=30)
        reader.close()
        return position.offset, position.metadata or ""

    def outputs(self, count: int) -> list[bytes]:
        """Read so many outputs as a reader that skips aborted ones."""
        return [
            each.value or b""
            for each in records_on(self.settings.bootstrap_servers, f"{self.prefix}out", count=count)
        ]

    def close(self) -> None:
        """Leave the group."""
        for outbox in self._outboxes:
            outbox.close(timeout_seconds=5)
        self.consumer.close()


@pytest.fixture
def member(stack: PrivateStack) -> Iterator[Member]:
    """Join a group of one."""
    member = Member(stack)
    yield member
    member.close()


def _delivered(member: Member, count: int) -> None:
    eventually(lambda: len(member.deliveries) == count, timeout_seconds=60, what=f"{count} deliveries")


def test_outputs_and_offsets_are_committed_together(member: Member) -> None:
    """In the order of their submission; the last commit of a partition stands."""
    outbox = member.outbox()
    batches = [member.batch(number + 1, f"{number}".encode()) for number in range(50)]
    for batch in batches:
        assert outbox.submit(batch, member.deliveries.append)
    _delivered(member, 50)
    assert member.deliveries == [Delivery(batch, committed=True) for batch in batches]
    assert member.committed() == (50, "m50")
    assert member.outputs(50) == [f"{number}".encode() for number in range(50)]
    assert outbox.close(timeout_seconds=10)


def test_batches_of_a_released_partition_are_returned_and_never_read(member: Member) -> None:
    """Its new owner does the work again: two owners' outputs would be a duplicate."""
    outbox = member.outbox()
    assert outbox.submit(member.batch(1, b"kept"), member.deliveries.append)
    _delivered(member, 1)
    submitted = [member.batch(2, b"x" * 100_000), member.batch(3, b"released")]
    for batch in submitted:
        outbox.submit(batch, member.deliveries.append)
    outbox.release([member.key], timeout_seconds=30)
    _delivered(member, 3)
    # The transaction may have been past its check: then the release waited for its end.
    returned = [each for each in member.deliveries if each.returned]
    assert [each.batch for each in returned] == submitted[::-1][: len(returned)]
    assert member.committed()[0] == 3 - len(returned)
    for each in returned:
        each.acknowledge()
    assert outbox.submit(member.batch(4, b"held again"), member.deliveries.append)
    _delivered(member, 4)
    assert member.committed() == (4, "m4")
    expected = [b"kept", *(b"x" * 100_000, b"released")[: 2 - len(returned)], b"held again"]
    assert member.outputs(len(expected)) == expected


def test_a_member_that_has_left_the_group_commits_nothing(member: Member) -> None:
    """The broker refuses its offsets, so its outputs are aborted, and the batch is returned for newer metadata."""
    outbox = member.outbox()
    stale = member.batch(1, b"stale")
    member.consumer.unsubscribe()
    member.consumer.subscribe([member.key[0]])
    eventually(lambda: member.consumer.poll(0.05) or member.consumer.assignment(), timeout_seconds=30)
    member.consumer.close()
    outbox.submit(stale, member.deliveries.append)
    _delivered(member, 1)
    assert member.deliveries[0].returned
    assert member.committed()[0] < 0
    assert outbox.problem is None


def test_an_output_that_the_broker_refuses_is_replaced_in_its_transaction(member: Member) -> None:
    """Its neighbours and the offsets are delivered with its dead letter."""
    outbox = member.outbox()
    incompressible = random.Random(1).randbytes(2_000_000)
    outbox.submit(member.batch(1, b"before", incompressible, b"after"), member.deliveries.append)
    _delivered(member, 1)
    assert member.deliveries[0].committed
    assert member.outputs(2) == [b"before", b"after"]
    (letter,) = records_on(member.settings.bootstrap_servers, f"{member.prefix}out.dlq", count=1)
    assert letter.header(dead_letters.VALUE_SIZE_BYTES) == b"2000000"
    assert member.committed() == (1, "m1")


def test_a_second_outbox_with_the_id_fences_the_first_which_recovers(member: Member) -> None:
    """A process that was thought dead loses its transaction, and takes part again with a new producer."""
    first = member.outbox()
    first.submit(member.batch(1, b"first"), member.deliveries.append)
    _delivered(member, 1)
    second = member.outbox()
    second.submit(member.batch(2, b"second"), member.deliveries.append)
    _delivered(member, 2)
    first.submit(member.batch(3, b"first again"), member.deliveries.append)
    _delivered(member, 3)
    assert [each.committed for each in member.deliveries] == [True] * 3
    assert member.outputs(3) == [b"first", b"second", b"first again"]


def test_reports_go_out_beside_transactions(member: Member) -> None:
    """Progress needs no batch, and close() still sends it."""
    outbox = member.outbox()
    outbox.report(OutgoingRecord(f"{member.prefix}out", b"key", b"half"))
    assert outbox.close(timeout_seconds=30)
    assert member.outputs(1) == [b"half"]
    assert not outbox.submit(member.batch(1), member.deliveries.append)


def _never(_: Delivery) -> None: ...


def test_a_full_outbox_refuses_without_blocking(member: Member) -> None:
    """The bound slows intake down while the broker is away."""
    outbox = TransactionalOutbox(
        KafkaSettings(bootstrap_servers="127.0.0.1:9"),
        group_id=member.group,
        transactional_id=f"{member.prefix}full",
        batches_limit=2,
        retry_seconds=0.05,
    )
    ignore: Callable[[Delivery], None] = _never
    assert [outbox.submit(member.batch(number), ignore) for number in range(3)] == [True, True, False]
    eventually(lambda: outbox.problem, timeout_seconds=30)
    assert outbox.is_alive
    assert not outbox.close(timeout_seconds=0.1)
