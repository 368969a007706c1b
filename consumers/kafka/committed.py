"""Committed offsets of newly assigned partitions, requested until the broker returns them."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers.kafka.client import is_fatal
from schemas.clock import Clock

REQUEST_SECONDS: Final = 10.0
"""Timeout of one request. The owner thread waits for it, so it is far below the limit for a loop that hangs."""

DEADLINE_SECONDS: Final = 120.0
"""Limit for all tries. Coordinators move in seconds; the group evicts a member that has not polled for 300 s."""

PERMANENT_CODES: Final = frozenset(
    {
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.INVALID_GROUP_ID,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.UNRELEASED_INSTANCE_ID,
        KafkaError._INVALID_ARG,  # noqa: SLF001 - the client's public names
        KafkaError._STATE,  # noqa: SLF001
        KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001
    }
)
"""Errors that a retry cannot fix. Any other may be a coordinator that moves, or a group that rebalances again."""

_log: Final = structlog.get_logger(__name__)


def fetch_committed(
    consumer: Consumer,
    assigned: Sequence[TopicPartition],
    *,
    before_retry: Callable[[], None],
    is_stopped: Callable[[], bool],
    clock: Clock,
) -> list[TopicPartition] | None:
    """Return the committed offset and metadata of every partition; None once ``is_stopped``. Blocks.

    Calls ``before_retry`` before each retry. Raises KafkaException for a permanent error at once, for any other
    after the deadline.
    """
    deadline = clock.monotonic() + DEADLINE_SECONDS
    while not is_stopped():
        positions, error = _request(consumer, assigned)
        if error is None:
            return positions
        if is_fatal(error) or error.code() in PERMANENT_CODES or clock.monotonic() >= deadline:
            raise KafkaException(error)
        _log.warning("committed offsets cannot be fetched yet", code=error.name(), error=error.str())
        before_retry()
    return None


def _request(
    consumer: Consumer, assigned: Sequence[TopicPartition]
) -> tuple[list[TopicPartition], KafkaError | None]:
    try:
        positions = consumer.committed(list(assigned), timeout=REQUEST_SECONDS)
    except KafkaException as error:
        return [], error.args[0]
    return positions, next((position.error for position in positions if position.error is not None), None)
