"""The decision on a failed attempt, which is pure, and the record that carries a retry.

No thread sleeps for a retry: the record goes to the retry topic of its delay with the time when it is due, and the
consumer of that topic leaves it until then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consumers.runtime.ports import Stage
from schemas.errors import DependencyDown, JobError, PermanentError, Reason, TransientError
from schemas.kafka import history
from schemas.kafka.history import History, due_at
from schemas.kafka.records import OutgoingRecord, Record
from schemas.kafka.topics import origin_topic, retry_delay_seconds, retry_topic
from schemas.settings import RuntimeSettings

__all__ = ["DeadLetter", "Decision", "Pause", "Retry", "decide", "delays_of", "due_at", "may_run_at", "retried"]

PAUSES_LIMIT: Final = 5
"""Most pauses of one attempt whose dependency answers the first probe: about a minute, each twice the last."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt later. ``due_at_ms`` is in milliseconds since the epoch; ``attempt`` is the one to come."""

    topic: str
    due_at_ms: int
    attempt: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """No further attempt."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Pause:
    """The same attempt again once ``dependency`` is up; until then intake pauses."""

    dependency: str


Decision = Retry | DeadLetter | Pause


def decide(
    error: BaseException,
    *,
    topic: str,
    attempt: int,
    retry_delays_seconds: Sequence[int],
    now_ms: int,
    pauses: int = 0,
) -> Decision:
    """Decide how to proceed after ``error`` in the attempt numbered ``attempt`` (from 1) of a record on ``topic``.

    ``pauses`` counts those of this attempt after which the dependency answered at once: if the probe succeeds but
    this record keeps failing, the fault is the record's, unless the error says that it cannot be. An error that is
    not a KascribeError counts as transient. JobCancelled is no failure and must not be passed in.
    """
    if isinstance(error, DependencyDown) and (pauses < PAUSES_LIMIT or error.fails_every_record):
        return Pause(error.dependency)
    if isinstance(error, PermanentError):
        return DeadLetter(error.reason)
    reason = error.reason if isinstance(error, JobError) else Reason.INTERNAL_ERROR
    if isinstance(error, TransientError) and not error.was_tried and retry_delays_seconds:
        return _retry(topic, min(retry_delays_seconds), attempt=attempt, reason=reason, now_ms=now_ms)
    attempts_limit = len(retry_delays_seconds) + 1
    if isinstance(error, TransientError) and error.attempts is not None:
        attempts_limit = min(attempts_limit, error.attempts)
    if attempt >= attempts_limit:
        return DeadLetter(reason)
    delay_seconds = retry_delays_seconds[attempt - 1]
    if isinstance(error, TransientError) and error.retry_after_seconds > delay_seconds:
        longer = [delay for delay in retry_delays_seconds if delay >= error.retry_after_seconds]
        delay_seconds = min(longer, default=max(retry_delays_seconds))
    return _retry(topic, delay_seconds, attempt=attempt + 1, reason=reason, now_ms=now_ms)


def _retry(topic: str, delay_seconds: int, *, attempt: int, reason: Reason, now_ms: int) -> Retry:
    return Retry(retry_topic(topic, delay_seconds), now_ms + delay_seconds * 1_000, attempt, reason)


def delays_of(stage: Stage, settings: RuntimeSettings, topic: str) -> tuple[int, ...]:
    """Return the delays of a topic's retry topics; none where they belong to another role."""
    return settings.retry_delays_seconds if origin_topic(topic) in stage.retried_topics else ()


def may_run_at(record: Record, *, now_ms: int) -> int:
    """Return when a record may run, in milliseconds since the epoch; 0 when it may at once.

    Only a retry topic makes its records wait, and none longer than its delay after it was written: a waiting
    record holds those behind it, and any client can write a header. A record whose timestamp lies further in the
    future than a clock may be wrong does not wait.
    """
    due_ms, delay_seconds = due_at(record), retry_delay_seconds(record.topic)
    if due_ms is None or delay_seconds is None:
        return 0
    delay_ms = delay_seconds * 1_000
    written_ms = record.timestamp_ms if record.timestamp_ms <= now_ms + delay_ms else 0
    return min(due_ms, written_ms + delay_ms)


def retried(record: Record, retry: Retry) -> OutgoingRecord:
    """Return the record for the retry topic: the same key, value and headers, and the history up to now."""
    before = history.read(record)
    after = History(retry.attempt, before.origin, before.first_seen_ms, retry.due_at_ms)
    return OutgoingRecord(retry.topic, record.key, record.value, history.write(after, record.headers))
