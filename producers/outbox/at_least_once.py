"""At least once: outputs are published, and only then are the offsets committed that they complete.

Every output of a batch is produced by an idempotent producer and confirmed by all replicas in sync.
Only then is the batch reported as delivered, and its owner commits its offsets. A crash before that repeats the
batch; a crash after it loses nothing.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message

from producers.kafka import REFUSALS, discard, open_producer, produce, producer_configuration, report
from schemas.clock import Clock, SystemClock
from schemas.kafka.dead_letters import undeliverable_letter
from schemas.kafka.delivery import Batch, Delivery, Partition
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings

BATCHES_LIMIT: Final = 1_000
"""Submitted and not delivered; beyond it ``submit`` returns False, and intake slows down."""

RETRY_SECONDS: Final = 1.0
"""Between a failed delivery and the next attempt; the client has retried for its delivery timeout by then."""

POLL_SECONDS: Final = 0.05
"""The longest wait for delivery reports before new batches are taken."""

REPORTS_SECONDS: Final = 1.0
"""For best-effort records that are still unconfirmed when the outbox closes."""

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Submission:
    """A submitted batch. ``unconfirmed`` counts its outputs that the broker has not confirmed yet."""

    batch: Batch
    on_delivered: Callable[[Delivery], None]
    unconfirmed: int


@dataclass(slots=True, order=True)
class _Output:
    """One output of a batch. ``number`` is its place in line, which it keeps after a failure.

    ``is_refused``: it was refused once and is sent alone the next time, because the broker refuses all records of
    one request together. ``is_replaced``: it was refused again, and a dead letter has replaced it.
    """

    number: int
    submission: _Submission = field(compare=False)
    record: OutgoingRecord = field(compare=False)
    is_refused: bool = field(default=False, compare=False)
    is_replaced: bool = field(default=False, compare=False)


class AtLeastOnceOutbox:
    """Delivers batches in the order of their submission, on a thread of its own that the constructor starts.

    An output that the broker refuses for its size or content is replaced by a dead letter with the reason, and
    delivery continues: a record that can never be delivered must not block the others.
    """

    is_transactional: Final = False

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        client_id: str = "kascribe-outbox",
        batches_limit: int = BATCHES_LIMIT,
        retry_seconds: float = RETRY_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        configuration = producer_configuration(settings, client_id=client_id)
        self._new_producer = partial(open_producer, settings, configuration)
        self._producer = self._new_producer()
        self._batches_limit = batches_limit
        self._retry_seconds = retry_seconds
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._submitted: deque[_Submission] = deque()
        self._pending = 0
        self._problem: str | None = None
        self._is_alive = True
        self._closing_at: float | None = None
        # The rest belongs to the outbox's thread.
        self._batches: deque[_Submission] = deque()
        self._outputs: deque[_Output] = deque()
        self._output_numbers = count()
        # A heap of outputs that failed; they go before all others, whose numbers are higher.
        self._retries: list[_Output] = []
        self._in_flight: dict[int, _Output] = {}
        self._is_exclusive = False
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch, on_delivered: Callable[[Delivery], None]) -> bool:
        """Accept a batch; call ``on_delivered`` on the outbox's thread. False: full or closed. Never blocks."""
        with self._lock:
            if self._closing_at is not None or self._pending >= self._batches_limit:
                return False
            self._pending += 1
            self._submitted.append(_Submission(batch, on_delivered, len(batch.outputs)))
        self._wake.set()
        return True

    def release(self, partitions: Collection[Partition], *, timeout_seconds: float) -> None:
        """Return at once: the caller commits after the delivery, and checks then whether a partition is held."""

    def report(self, record: OutgoingRecord) -> None:
        """Publish best effort, in no particular order. Never blocks or raises."""
        report(self._producer, record)

    @property
    def is_alive(self) -> bool:
        """False once its thread has died; its batches stay undelivered."""
        return self._is_alive

    @property
    def problem(self) -> str | None:
        """The sentence that says why the oldest batch is stuck; None while deliveries succeed."""
        return self._problem

    def close(self, *, timeout_seconds: float) -> bool:
        """Deliver as much as possible within the time. Blocks; safe to repeat. False: batches were left."""
        with self._lock:
            if self._closing_at is None:
                self._closing_at = self._clock.monotonic() + timeout_seconds
        self._wake.set()
        self._thread.join(timeout_seconds + 2 * POLL_SECONDS + 1.0)
        return self._pending == 0

    def _run(self) -> None:
        try:
            while not self._is_done():
                self._take_submitted()
                self._send()
                self._poll()
                self._report_delivered()
            self._close_producer()
        except BaseException as error:
            self._problem = f"the outbox died: {error!r}"
            self._is_alive = False
            self._closing_at = 0.0
            raise

    def _is_done(self) -> bool:
        closing_at = self._closing_at
        return closing_at is not None and (self._pending == 0 or self._clock.monotonic() >= closing_at)

    def _take_submitted(self) -> None:
        with self._lock:
            submitted = list(self._submitted)
            self._submitted.clear()
            self._wake.clear()
        self._batches.extend(submitted)
        for submission in submitted:
            for record in submission.batch.outputs:
                self._outputs.append(_Output(next(self._output_numbers), submission, record))

    def _send(self) -> None:
        while (self._retries or self._outputs) and self._clock.monotonic() >= self._retry_at:
            output = self._retries[0] if self._retries else self._outputs[0]
            if self._in_flight and (output.is_refused or self._is_exclusive):
                return
            try:
                produce(self._producer, output.record, on_delivery=partial(self._on_delivery, output))
            except BufferError:
                return
            except KafkaException as error:
                self._remove_next()
                self._on_failure(output, error.args[0])
                continue
            self._remove_next()
            self._in_flight[output.number] = output
            self._is_exclusive = output.is_refused

    def _remove_next(self) -> None:
        if self._retries:
            heappop(self._retries)
        else:
            self._outputs.popleft()

    def _poll(self) -> None:
        waiting = bool(self._in_flight or self._retries or self._outputs)
        if not waiting:
            self._wake.wait(POLL_SECONDS)
        try:
            self._producer.poll(POLL_SECONDS if waiting else 0)
        except KafkaException as error:
            # A fatal error of an idempotent producer, such as a lost sequence, is raised here from now on.
            self._replace_producer(error.args[0])

    def _replace_producer(self, error: KafkaError) -> None:
        _log.error("producer broken; replacing it", error=error.str())
        self._problem = f"the producer broke: {error.str()}"
        for output in self._in_flight.values():
            heappush(self._retries, output)
        self._in_flight.clear()
        self._retry_at = self._clock.monotonic() + self._retry_seconds
        broken, self._producer = self._producer, self._new_producer()
        discard(broken)

    def _on_delivery(self, output: _Output, error: KafkaError | None, _: Message) -> None:
        if self._in_flight.pop(output.number, None) is None:
            return  # a late report of a producer that was replaced
        if error is not None:
            self._on_failure(output, error)
            return
        output.submission.unconfirmed -= 1
        if self._problem is not None:
            _log.info("deliveries succeed again")
        self._problem = None

    def _on_failure(self, output: _Output, error: KafkaError) -> None:
        """Put the output back in its place in line; change it if it would otherwise fail again the same way."""
        heappush(self._retries, output)
        is_refusal = error.code() in REFUSALS and not output.is_replaced
        if is_refusal and not output.is_refused:
            output.is_refused = True
            return
        if is_refusal:
            _log.error("output replaced by a dead letter", topic=output.record.topic, error=error.str())
            output.record = undeliverable_letter(output.record, message=error.str(), now_ms=self._clock.now_ms())
            output.is_replaced = True
            return
        if self._problem is None:
            _log.warning("deliveries fail; retrying", topic=output.record.topic, error=error.str())
        self._problem = f"delivery to {output.record.topic} fails: {error.str()}"
        self._retry_at = self._clock.monotonic() + self._retry_seconds

    def _report_delivered(self) -> None:
        while self._batches and self._batches[0].unconfirmed == 0:
            submission = self._batches.popleft()
            try:
                submission.on_delivered(Delivery(submission.batch, committed=False))
            except Exception:  # noqa: BLE001 - a defect of the callback must not stop the batches behind this one
                _log.exception("delivery callback failed")
            with self._lock:
                self._pending -= 1

    def _close_producer(self) -> None:
        """Flush best-effort records if possible; discard outputs that are left, so that none is sent later."""
        with suppress(KafkaException):
            self._producer.flush(0.0 if self._pending else REPORTS_SECONDS)
        discard(self._producer)
