"""A broker that does not answer the end of a transaction: only its committed offsets tell what became of it."""

import os
import signal
from collections.abc import Iterator, Mapping

import pytest
from confluent_kafka import Consumer

from deploy.stack import Stack, Topic
from producers.outbox.transaction import TransactionFailedError, Transactions, UncertainEndError
from schemas.kafka.delivery import Commit, Partition
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings
from tests.flow.reading import records_on
from tests.support.waiting import eventually

KEY: Partition = ("in", 0)


@pytest.fixture
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a broker that the test may freeze."""
    servers = Stack.up(tmp_path_factory.mktemp("frozen"), topics=(Topic("in", 1), Topic("out", 1)))
    try:
        yield servers
    finally:
        servers.down(purge=True)


class Freezing:
    """Stops the broker between the offsets and the end of a transaction: at the second check of the partitions."""

    def __init__(self, servers: Stack) -> None:
        self.checks = 0
        (self._pid,) = [each.pid for each in servers.status() if each.name == "kafka-1"]

    def is_allowed(self) -> bool:
        """Freeze at the second check."""
        self.checks += 1
        if self.checks == 2:
            self._send(signal.SIGSTOP)
        return True

    def thaw(self) -> None:
        """Let the broker continue."""
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        assert self._pid is not None
        os.kill(self._pid, number)


@pytest.mark.usefixtures("stack_tools")
def test_a_transaction_without_an_answer_is_found_committed_or_aborted(own_broker: Stack) -> None:
    """The broker is frozen after the offsets are sent; what the group has committed is what readers see."""
    settings = KafkaSettings(bootstrap_servers=own_broker.bootstrap_servers)
    outsider = Consumer({"bootstrap.servers": own_broker.bootstrap_servers, "group.id": "group", "log_level": 0})
    group = outsider.consumer_group_metadata()
    transactions = Transactions(
        settings, group_id="group", transactional_id="one", client_id="test", call_seconds=4.0
    )
    first, second, third = (Commit(number, f"m{number}") for number in (1, 2, 3))
    assert transactions.run([_output(b"first")], {KEY: first}, group, one_by_one=False, is_allowed=lambda: True)
    assert _committed(transactions) == {KEY: first}
    freezing = Freezing(own_broker)
    try:
        with pytest.raises(UncertainEndError):
            transactions.run(
                [_output(b"second")], {KEY: second}, group, one_by_one=False, is_allowed=freezing.is_allowed
            )
    finally:
        freezing.thaw()
    found = _committed(transactions)
    assert found in ({KEY: first}, {KEY: second})
    was_committed = found == {KEY: second}
    assert transactions.run([_output(b"third")], {KEY: third}, group, one_by_one=False, is_allowed=lambda: True)
    expected = [b"first", b"second", b"third"] if was_committed else [b"first", b"third"]
    read = records_on(own_broker.bootstrap_servers, "out", count=len(expected))
    assert [each.value for each in read] == expected
    transactions.close()
    outsider.close()


def _committed(transactions: Transactions) -> Mapping[Partition, Commit]:
    """Return what the group has committed, once no transaction is about to change it."""

    def found() -> Mapping[Partition, Commit]:
        try:
            return transactions.committed([KEY])
        except TransactionFailedError:
            return {}

    return eventually(found, timeout_seconds=60, what="stable offsets")


def _output(value: bytes) -> OutgoingRecord:
    return OutgoingRecord("out", b"key", value)
