"""Settlement of ended attempts: one decision per flight, made in one place."""

import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from prometheus_client import Counter

from consumers import metrics as rows
from consumers.metrics import Metrics
from consumers.runtime.committer import Committer
from consumers.runtime.dispatch import Dispatch
from consumers.runtime.execution import job_log
from consumers.runtime.execution.record_span import note_outcome
from consumers.runtime.monitoring.backlog import Backlog
from consumers.runtime.monitoring.dependencies import DependencyWatch
from consumers.runtime.partition import Flight, PartitionState
from consumers.runtime.ports import CancelledByCaller, FollowsAnother, Stage
from consumers.runtime.retry import DeadLetter, Pause, Retry, decide, delays_of, retried
from schemas.clock import Clock
from schemas.errors import EngineFailed, JobCancelled, JobError, KascribeError, KillerRecord, Reason
from schemas.events import Failure
from schemas.kafka import dead_letters
from schemas.kafka.dead_letters import Cause, Site
from schemas.kafka.records import Coordinates, OutgoingRecord, Record
from schemas.kafka.wire import after_attempt, with_trace
from schemas.settings import Settings

OUTCOMES: Final = ("completed", "cancelled", "retried", "dead_lettered", "parked", "joined", "dropped")

_log: Final = structlog.get_logger(__name__)


class Settlement:
    """Completes, retries or dead-letters records, or makes them wait. The owner thread's alone."""

    def __init__(
        self,
        stage: Stage,
        dispatch: Dispatch,
        committer: Committer,
        watch: DependencyWatch,
        *,
        backlog: Backlog,
        settings: Settings,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._stage = stage
        self._dispatch = dispatch
        self._committer = committer
        self._watch = watch
        self._backlog = backlog
        self._delays_of = partial(delays_of, stage, settings.runtime)
        self._group = f"{settings.kafka.group_id_prefix}{stage.name}"
        self._clock = clock
        self._settled = metrics.counter(rows.RECORDS_SETTLED)
        self._counters: dict[tuple[str, str], Counter] = {
            (topic, outcome): self._settled.labels(topic, outcome)
            for topic in stage.topics
            for outcome in OUTCOMES
        }
        self._failures, self._retries, self._dead_letters = (
            {reason: metrics.counter(row).labels(reason.value) for reason in Reason}
            for row in (rows.FAILURES, rows.RETRIES, rows.DEAD_LETTERS)
        )
        self._dependency_down = metrics.gauge(rows.DEPENDENCY_DOWN)
        seconds = metrics.histogram(rows.STAGE_SECONDS)
        self._seconds_done = seconds.labels(stage.name, "done")
        self._seconds_failed = seconds.labels(stage.name, "failed")

    def settle(self, flight: Flight) -> None:
        """Settle one attempt that the workers have returned."""
        error = flight.error
        if flight.partition.is_gone or (flight.cancelled and not flight.started):
            self._drop(flight)
        elif error is None:
            self._seconds_done.observe(flight.seconds)
            self._finish(flight, "completed", flight.outputs)
        elif isinstance(error, FollowsAnother):
            self._follow(flight, error.leader)
        else:
            self._seconds_failed.observe(flight.seconds)
            with job_log.about(flight):
                if isinstance(error, JobCancelled):
                    self._settle_cancelled(flight, error)
                else:
                    self._settle_failed(flight, error)

    def settle_set_aside(self) -> None:
        """Write dead letters for the records that have ended too many processes."""
        for flight in self._dispatch.take_set_aside():
            journal, offset = flight.partition.books.journal, flight.record.offset
            message = (
                f"{journal.crash_count(offset)} processes ended while this record ran, "
                f"{journal.crashes_alone(offset)} of them while nothing else did; it was not run again"
            )
            with job_log.about(flight):
                _log.error(
                    "record set aside",
                    crashes=journal.crash_count(offset),
                    crashes_alone=journal.crashes_alone(offset),
                )
                self._give_up_or_retry(flight, KillerRecord(message), DeadLetter(Reason.KILLER_RECORD))

    def on_recovery(self, dependency: str, probes: int) -> None:
        """Run the flights that waited for a dependency which is up again, as the same attempts.

        One that answered the first of ``probes`` was no outage: see ``Flight.count_pause``.
        """
        _log.info("dependency is up again, intake resumes", dependency=dependency, probes=probes)
        self._dependency_down.labels(dependency).set(0)
        self._dispatch.unpark(dependency, was_outage=probes > 1)

    def _settle_failed(self, flight: Flight, error: BaseException) -> None:
        if not isinstance(error, KascribeError):
            _log.error("stage raised an untranslated error, counted as transient", exc_info=error)
        defect = self._failures[Reason.INTERNAL_ERROR]
        (self._failures.get(error.reason, defect) if isinstance(error, JobError) else defect).inc()
        decision = decide(
            error,
            topic=flight.record.topic,
            attempt=flight.attempt,
            retry_delays_seconds=self._delays_of(flight.record.topic),
            now_ms=self._clock.now_ms(),
            pauses=flight.pauses,
        )
        if isinstance(decision, Pause):
            self._pause(flight, decision.dependency, error)
        else:
            self._give_up_or_retry(flight, error, decision)

    def _settle_cancelled(self, flight: Flight, error: JobCancelled) -> None:
        """Complete the record only if the callers cancelled the job.

        What the runtime cancelled is left to the next holder; what stopped for any other reason is retried.
        """
        if flight.cancelled:
            self._drop(flight)
        elif isinstance(error, CancelledByCaller):
            self._finish(flight, "cancelled", error.outputs)
        else:
            self._settle_failed(flight, EngineFailed(f"the work was stopped before its end: {error}"))

    def _give_up_or_retry(self, flight: Flight, error: BaseException, decision: Retry | DeadLetter) -> None:
        """Send the record to a retry topic or the dead letters.

        A record that cannot be described must not end the process, nor vanish: its dead letter lacks the headers
        and gives the reason.
        """
        try:
            match decision:
                case Retry(reason=reason):
                    outputs: Sequence[OutgoingRecord] = (retried(_traced(flight), decision),)
                    self._retries[reason].inc()
                    _log_retry(decision, error)
                case DeadLetter(reason):
                    outputs = self._dead_letter(flight, error, reason)
        except Exception as fault:  # noqa: BLE001 - see above
            _log.exception("failed record cannot be described, its dead letter lacks its headers")
            decision = DeadLetter(Reason.INTERNAL_ERROR)
            outputs = (self._letter(replace(flight.record, headers=()), flight.attempt, fault, decision.reason),)
        if flight.span is not None:
            flight.span.fail(decision.reason.value)
        self._finish(flight, "retried" if isinstance(decision, Retry) else "dead_lettered", outputs)

    def _pause(self, flight: Flight, dependency: str, error: BaseException) -> None:
        if _is_leaving(flight):
            self._drop(flight)
            return
        if dependency not in self._dispatch.parked:
            _log.warning("dependency is down, intake pauses", dependency=dependency, error=_message(error))
            self._dependency_down.labels(dependency).set(1)
        _log.info("record parked", dependency=dependency, error=_message(error))
        self._count(flight, "parked")
        self._dispatch.park(flight, dependency)
        self._watch.watch(dependency, relapses=flight.pauses)

    def _follow(self, flight: Flight, leader: Coordinates) -> None:
        if _is_leaving(flight):
            self._drop(flight)
            return
        with job_log.about(flight):
            _log.info("record joined another", leader=str(leader))
        self._count(flight, "joined")
        self._dispatch.follow(flight, leader)

    def _finish(self, flight: Flight, outcome: str, outputs: Sequence[OutgoingRecord]) -> None:
        self._count(flight, outcome)
        if outcome == "completed":
            self._backlog.learn(flight)
        self._dispatch.release(flight)
        self._committer.complete(flight, outputs)

    def _drop(self, flight: Flight) -> None:
        if not flight.partition.is_gone:  # otherwise it was logged when the partition was released
            job_log.log_dropped(flight)
        self._count(flight, "dropped")
        self._dispatch.release(flight)
        if flight.span is not None:
            flight.span.end()

    def _dead_letter(self, flight: Flight, error: BaseException, reason: Reason) -> Sequence[OutgoingRecord]:
        letter = self._letter(_traced(flight), flight.attempt, error, reason)
        failure = Failure(
            reason=reason, message=_message(error), attempt=flight.attempt, dead_letter_topic=letter.topic
        )
        _log.warning("dead letter", reason=reason.value, error=failure.message, dead_letter_topic=letter.topic)
        return (letter, *self._announcement(flight, failure))

    def _letter(self, record: Record, attempt: int, error: BaseException, reason: Reason) -> OutgoingRecord:
        cause = Cause(
            reason.value,
            _message(error),
            exception=_qualified(error),
            exception_cause=_qualified(error.__cause__) if error.__cause__ else None,
            stack_trace="".join(traceback.format_exception(error)),
        )
        site = Site(self._stage.name, self._group, self._clock.now_ms())
        letter = dead_letters.write(record, cause, site, attempt=attempt)
        self._dead_letters[reason].inc()
        return letter

    def _announcement(self, flight: Flight, failure: Failure) -> Sequence[OutgoingRecord]:
        try:
            return self._stage.failed(flight.as_job(), failure)
        except Exception:  # noqa: BLE001 - a dead letter is not lost because its announcement is
            _log.exception("stage could not announce that a record failed")
            return ()

    def _count(self, flight: Flight, outcome: str) -> None:
        key = (flight.record.topic, outcome)
        counter = self._counters.get(key)
        if counter is None:
            # Looking up the labelled counter costs four times as much as incrementing it.
            counter = self._counters[key] = self._settled.labels(*key)
        counter.inc()
        if flight.span is not None:
            note_outcome(flight.span, outcome)


def _log_retry(retry: Retry, error: BaseException) -> None:
    _log.warning(
        "retry",
        reason=retry.reason.value,
        error=_message(error),
        next_attempt=retry.attempt,
        due_at=datetime.fromtimestamp(retry.due_at_ms / 1_000, UTC).isoformat(timespec="milliseconds"),
        retry_topic=retry.topic,
    )


def _is_leaving(flight: Flight) -> bool:
    return flight.cancelled or flight.partition.state is not PartitionState.HELD


def _traced(flight: Flight) -> Record:
    """Return the record with its trace and, where it is traced, this attempt's span for the next one to link."""
    trace = flight.as_job().trace
    record = with_trace(flight.record, trace)
    return record if flight.span is None else after_attempt(record, trace)


def _message(error: BaseException) -> str:
    """Return the error's text, cut to the limit of a letter and valid as UTF-8.

    A file name in it may contain characters that are not.
    """
    text = str(error)[: dead_letters.MESSAGE_CHARACTERS_LIMIT] or type(error).__name__
    return text.encode("utf-8", "replace").decode()


def _qualified(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"
