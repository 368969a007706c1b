"""One Kafka transaction at a time: outputs, and the offsets that they complete, on one producer.

The source of the rules is KIP-98 (transactions) and KIP-447 (fencing by the consumer group's metadata). librdkafka
2.16 lacks KIP-890: an end of a transaction that timed out may be applied to the next one (its issue 5423). So a
producer whose last call has an uncertain outcome is discarded; its successor with the same ``transactional.id``
ends what was left open before it begins.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition

from producers.kafka import REFUSALS, discard, open_admin, open_producer, produce, producer_configuration
from schemas.kafka.delivery import Commit, Partition
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings

CALL_SECONDS: Final = 5.0
"""Timeout of one call. The client repeats requests within it."""

TRANSACTION_TIMEOUT_MS: Final = 10_000
"""The broker aborts a transaction that is open for longer: until then readers of the topics wait for its end."""

_FATAL: Final = KafkaError._FATAL  # noqa: SLF001 - the client's public name for it
_MSG_TIMED_OUT: Final = KafkaError._MSG_TIMED_OUT  # noqa: SLF001 - likewise
_STALE_MEMBER: Final = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.STALE_MEMBER_EPOCH,
    }
)
"""What the group's coordinator answers to offsets of a member that it no longer counts as one."""


class TransactionFailedError(Exception):
    """The transaction was aborted, or never began. ``cause`` is the client's error."""

    def __init__(self, cause: KafkaError) -> None:
        super().__init__(cause.str())
        self.cause = cause


class StaleMemberError(TransactionFailedError):
    """Aborted: the group's metadata is out of date. The offsets need newer metadata, or have another owner."""


class OutputRefusedError(TransactionFailedError):
    """Aborted: the broker never accepts this output, or one that was sent together with it."""

    def __init__(self, number: int, cause: KafkaError) -> None:
        super().__init__(cause)
        self.number = number


class UncertainEndError(TransactionFailedError):
    """Committed or aborted: see ``Transactions.committed``."""


class Transactions:
    """Runs transactions, and replaces the producer after an uncertain or fatal error. One thread's alone."""

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        group_id: str,
        transactional_id: str,
        client_id: str,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        configuration = {
            **producer_configuration(settings, client_id=client_id),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "message.timeout.ms": TRANSACTION_TIMEOUT_MS,
        }
        self._group_id = group_id
        self._call_seconds = call_seconds
        self._open_producer = partial(open_producer, settings, configuration)
        self._admin = open_admin(settings, producer_configuration(settings, client_id=f"{client_id}-offsets"))
        self._producer: Producer | None = None

    def run(
        self,
        outputs: Sequence[OutgoingRecord],
        commits: Mapping[Partition, Commit],
        group_metadata: object,
        *,
        one_by_one: bool,
        is_allowed: Callable[[], bool],
    ) -> bool:
        """Publish the outputs and commit the offsets, all or nothing. Blocks for some ``call_seconds``.

        ``one_by_one`` sends each output in a request of its own. False, and aborted, when ``is_allowed`` returns
        False before the offsets are sent, or after that. Raises a TransactionFailedError.
        """
        producer = self._initialised()
        try:
            producer.begin_transaction()
            self._publish(producer, outputs, one_by_one=one_by_one)
            if commits and is_allowed():
                positions = [
                    TopicPartition(*key, commit.offset, metadata=commit.metadata)
                    for key, commit in commits.items()
                ]
                producer.send_offsets_to_transaction(positions, group_metadata, self._call_seconds)
            if not is_allowed():
                self._abort(producer)
                return False
        except KafkaException as error:
            self._abort(producer)
            cause: KafkaError = error.args[0]
            raise (StaleMemberError if cause.code() in _STALE_MEMBER else TransactionFailedError)(cause) from error
        except OutputRefusedError:
            self._abort(producer)
            raise
        except SystemError as error:
            # A fatal error is raised between the callbacks of a flush, and the next callback fails on it.
            self.close()
            raise TransactionFailedError(KafkaError(_FATAL, "the producer broke; see its log lines")) from error
        self._end(producer)
        return True

    def committed(self, keys: Sequence[Partition]) -> Mapping[Partition, Commit]:
        """Return the group's committed offsets, once no transaction is open that would change them.

        Blocks. Raises TransactionFailedError when the brokers do not answer.
        """
        try:
            self._initialised()  # ends what the former producer had left open
            asked = ConsumerGroupTopicPartitions(self._group_id, [TopicPartition(*key) for key in keys])
            answers = self._admin.list_consumer_group_offsets(
                [asked], require_stable=True, request_timeout=self._call_seconds
            )
            (answer,) = answers.values()
            found = answer.result().topic_partitions or []
        except KafkaException as error:
            raise TransactionFailedError(error.args[0]) from error
        # The end of a transaction is not in effect yet: UNSTABLE_OFFSET_COMMIT, to be asked again.
        if errors := [each.error for each in found if each.error is not None]:
            raise TransactionFailedError(errors[0])
        return {
            (each.topic, each.partition): Commit(each.offset, each.metadata or "")
            for each in found
            if each.offset >= 0
        }

    def poll(self) -> None:
        """Let the clients write their log lines."""
        if self._producer is not None:
            with suppress(KafkaException, SystemError):  # the next transaction meets it
                self._producer.poll(0)
        self._admin.poll(0)

    def close(self) -> None:
        """Discard the producer; an open transaction is aborted by the broker, or by the next one with its id."""
        if self._producer is not None:
            discard(self._producer)
            self._producer = None

    def _initialised(self) -> Producer:
        """Return the producer; a new one first ends the transaction that a former one with its id left open."""
        if self._producer is None:
            producer = self._open_producer()
            try:
                producer.init_transactions(self._call_seconds)
            except KafkaException as error:
                discard(producer)
                raise TransactionFailedError(error.args[0]) from error
            self._producer = producer
        return self._producer

    def _publish(self, producer: Producer, outputs: Sequence[OutgoingRecord], *, one_by_one: bool) -> None:
        refused: list[tuple[int, KafkaError]] = []

        def on_delivery(number: int, error: KafkaError | None, _message: object) -> None:
            if error is not None and error.code() in REFUSALS:
                refused.append((number, error))

        for number, output in enumerate(outputs):
            try:
                _produce(producer, output, partial(on_delivery, number))
            except KafkaException as error:
                if error.args[0].code() not in REFUSALS:
                    raise
                refused.append((number, error.args[0]))
            if one_by_one:
                producer.flush(self._call_seconds)
            if refused:
                raise OutputRefusedError(*refused[0])
        left = producer.flush(self._call_seconds)
        if refused:
            raise OutputRefusedError(*refused[0])
        if left:
            raise KafkaException(KafkaError(_MSG_TIMED_OUT, f"{left} outputs are not confirmed"))

    def _end(self, producer: Producer) -> None:
        """Commit. After a timeout the client wants the call repeated; after two only the broker knows the end."""
        for tries_left in (1, 0):
            try:
                producer.commit_transaction(self._call_seconds)
            except KafkaException as error:
                cause: KafkaError = error.args[0]
                if cause.txn_requires_abort():
                    self._abort(producer)
                    raise (StaleMemberError if cause.code() in _STALE_MEMBER else TransactionFailedError)(
                        cause
                    ) from error
                if cause.retriable() and tries_left:
                    continue
                self.close()
                raise UncertainEndError(cause) from error
            return

    def _abort(self, producer: Producer) -> None:
        """Abort; a producer that cannot is discarded, and its successor does."""
        try:
            producer.abort_transaction(self._call_seconds)
        except KafkaException:
            self.close()


def _produce(producer: Producer, output: OutgoingRecord, on_delivery: Callable[..., None]) -> None:
    """Add a record to the client's queue; wait while that is full."""
    while True:
        try:
            produce(producer, output, on_delivery=on_delivery)
        except BufferError:
            producer.poll(CALL_SECONDS)
        else:
            return
