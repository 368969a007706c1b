"""Exactly once, as far as Kafka allows: outputs, and the offsets that they complete, go out in one transaction.

A reader with ``isolation.level=read_committed`` sees every output once: a crash before the end of a transaction
undoes its outputs and its offsets, a crash after it undoes neither. Work in flight is not part of any transaction,
so a recording of hours keeps none open.

Fencing per partition is ours: the broker lets any member of the group commit any partition. Before its offsets are
sent, and again before it ends, a transaction checks that its partitions are still held; the release of a partition
waits for the end of a transaction that is past that check.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Final

import structlog
from confluent_kafka import KafkaError

from producers.kafka import open_producer, producer_configuration, report
from producers.outbox.submissions import Submission, Submissions
from producers.outbox.transaction import (
    OutputRefusedError,
    StaleMemberError,
    TransactionFailedError,
    Transactions,
    UncertainEndError,
)
from schemas.clock import Clock, SystemClock
from schemas.kafka.dead_letters import undeliverable_letter
from schemas.kafka.delivery import Batch, Delivery, Partition
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings

BATCHES_LIMIT: Final = 1_000
"""Submitted and not delivered; beyond it ``submit`` returns False, and intake slows down."""

OUTPUTS_LIMIT: Final = 500
"""Outputs of one transaction, unless a single batch has more: a longer one makes readers wait longer."""

INTERVAL_SECONDS: Final = 0.02
"""From the start of one transaction to the next: each costs the brokers some ten writes."""

RETRY_SECONDS: Final = 1.0
"""Between a failed transaction and the next attempt."""

POLL_SECONDS: Final = 0.05
"""Between two looks at the clients while nothing is submitted."""

REPORTS_SECONDS: Final = 1.0
"""For best-effort records that are still unconfirmed when the outbox closes."""

_log: Final = structlog.get_logger(__name__)


class TransactionalOutbox:
    """Delivers batches in the order of their submission, several in one transaction, on a thread of its own.

    A batch holds outputs of one partition and the commit that covers them. One whose partition was released, or
    whose group metadata is out of date, is returned to its owner, who submits it again if the partition is still
    held. ``transactional_id`` must be this process's alone, and better the same after a restart: a successor with
    the same id ends at once what this process left open, which otherwise takes the broker up to 20 s.
    """

    is_transactional: Final = True

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        group_id: str,
        transactional_id: str,
        client_id: str = "kascribe-outbox",
        batches_limit: int = BATCHES_LIMIT,
        retry_seconds: float = RETRY_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        self._transactions = Transactions(
            settings, group_id=group_id, transactional_id=transactional_id, client_id=client_id
        )
        configuration = producer_configuration(settings, client_id=f"{client_id}-reports")
        self._reports = open_producer(settings, configuration)
        self._submissions = Submissions(batches_limit=batches_limit)
        self._retry_seconds = retry_seconds
        self._clock = clock or SystemClock()
        self._problem: str | None = None
        self._is_alive = True
        self._closing_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch, on_delivered: Callable[[Delivery], None]) -> bool:
        """Accept a batch; call ``on_delivered`` on the outbox's thread. False: full or closed. Never blocks."""
        return self._submissions.add(Submission(batch, on_delivered))

    def release(self, partitions: Collection[Partition], *, timeout_seconds: float) -> None:
        """Return the batches of these partitions. Blocks until no transaction can commit them any more."""
        if not self._submissions.release(partitions, timeout_seconds=timeout_seconds):
            # Its offsets are with the broker, which makes the next owner wait for the transaction's end.
            _log.warning("partition released while a transaction with its offsets has not ended")

    def report(self, record: OutgoingRecord) -> None:
        """Publish best effort, outside of transactions. Never blocks or raises."""
        report(self._reports, record)

    @property
    def is_alive(self) -> bool:
        """False once its thread has died; its batches stay undelivered."""
        return self._is_alive

    @property
    def problem(self) -> str | None:
        """The sentence that says why the oldest batch is stuck; None while transactions succeed."""
        return self._problem

    def close(self, *, timeout_seconds: float) -> bool:
        """Deliver as much as possible within the time. Blocks; safe to repeat. False: batches were left."""
        if self._closing_at is None:
            self._closing_at = self._clock.monotonic() + timeout_seconds
        self._submissions.close()
        self._thread.join(timeout_seconds + 2 * POLL_SECONDS + 1.0)
        return self._submissions.is_empty

    def _run(self) -> None:
        try:
            while not self._is_done():
                self._submissions.wait(POLL_SECONDS)
                self._transactions.poll()
                self._reports.poll(0)
                if self._submissions.take(OUTPUTS_LIMIT):
                    begun_at = self._clock.monotonic()
                    self._deliver()
                    self._submissions.pause(begun_at + INTERVAL_SECONDS - self._clock.monotonic())
            self._transactions.close()
            self._reports.flush(REPORTS_SECONDS)
        except BaseException as error:
            self._problem = f"the outbox died: {error!r}"
            self._is_alive = False
            self._submissions.close()
            raise

    def _is_done(self) -> bool:
        closing_at = self._closing_at
        return closing_at is not None and (self._submissions.is_empty or self._clock.monotonic() >= closing_at)

    def _deliver(self) -> None:
        """Deliver the current batches, or what is left of them, in one transaction. One attempt."""
        try:
            is_committed = self._transact()
        except StaleMemberError as error:
            _log.info("group metadata is out of date; offering the batches again", error=str(error))
            self._give_back(self._submissions.pop_all())
            self._submissions.pause(POLL_SECONDS)
        except UncertainEndError as error:
            self._note_problem(error)
            self._settle_uncertain_end()
        except TransactionFailedError as error:
            self._note_problem(error)
            self._submissions.pause(self._retry_seconds)
        else:
            if is_committed:
                self._report_committed()
        self._give_back(self._submissions.pop_released())

    def _transact(self) -> bool:
        """Run a transaction; replace outputs that the broker refuses even alone."""
        one_by_one = False
        while True:
            self._give_back(self._submissions.pop_released())
            if not (current := self._submissions.current):
                return False
            try:
                return self._transactions.run(
                    [output for each in current for output in each.outputs],
                    self._submissions.commits,
                    self._submissions.group_metadata,
                    one_by_one=one_by_one,
                    is_allowed=self._submissions.is_allowed,
                )
            except OutputRefusedError as refusal:
                if one_by_one:
                    self._replace(refusal.number, refusal.cause)
                one_by_one = True
            finally:
                self._submissions.end_attempt()

    def _replace(self, number: int, error: KafkaError) -> None:
        """Replace an output that can never be delivered by its dead letter."""
        for submission in self._submissions.current:
            if number < len(submission.outputs):
                refused = submission.outputs[number]
                _log.error("output replaced by a dead letter", topic=refused.topic, error=error.str())
                letter = undeliverable_letter(refused, message=error.str(), now_ms=self._clock.now_ms())
                submission.outputs[number] = letter
                return
            number -= len(submission.outputs)

    def _settle_uncertain_end(self) -> None:
        """Find out whether the transaction was committed, for as long as it takes."""
        commits = self._submissions.commits
        while not self._is_done():
            try:
                found = self._transactions.committed(list(commits))
            except TransactionFailedError as error:
                self._note_problem(error)
                self._submissions.pause(self._retry_seconds)
                continue
            if self._submissions.are_committed(found):
                self._report_committed()
            return

    def _report_committed(self) -> None:
        if self._problem is not None:
            _log.info("deliveries succeed again")
            self._problem = None
        for submission in self._submissions.pop_current():
            _call(submission, Delivery(submission.batch, committed=True))

    def _give_back(self, submissions: Sequence[Submission]) -> None:
        """Return batches to their owner, the latest first: each goes in front of what the owner has kept since."""
        for submission in reversed(submissions):
            _call(submission, self._submissions.returned(submission))

    def _note_problem(self, error: TransactionFailedError) -> None:
        if self._problem is None:
            _log.warning("transactions fail; retrying", error=str(error))
        self._problem = f"a transaction fails: {error}"


def _call(submission: Submission, delivery: Delivery) -> None:
    try:
        submission.on_delivered(delivery)
    except Exception:  # noqa: BLE001 - a defect of the callback must not stop the batches behind this one
        _log.exception("delivery callback failed")
