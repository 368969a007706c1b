"""The outbox: the one place where outputs and offsets leave, and the promise that they leave in that order.

At least once: every output of a batch is produced by an idempotent producer and confirmed by all replicas in sync.
Only then does the batch settle, and its owner commits its offsets. A crash anywhere before that repeats the
batch, a crash after it loses nothing.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message

from producers.kafka import REFUSALS, discard, open_producer, produce, producer_configuration
from schemas.clock import Clock, SystemClock
from schemas.kafka.dead_letters import undeliverable
from schemas.kafka.delivery import Batch, Delivery
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings

BATCHES_LIMIT: Final = 1_000
"""Submitted and not settled; beyond it ``submit`` says no, and intake slows down."""

RETRY_SECONDS: Final = 1.0
"""Between a failed delivery and the next try; the client itself has tried for its delivery timeout by then."""

POLL_SECONDS: Final = 0.05
"""The longest wait for the broker's answers before new batches are looked for."""

REPORTS_SECONDS: Final = 1.0
"""For reports that are still on their way at the end."""

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Entry:
    """A batch on its way. ``unconfirmed`` counts its outputs that are neither confirmed nor replaced."""

    batch: Batch
    settled: Callable[[Delivery], None]
    unconfirmed: int


@dataclass(slots=True, order=True)
class _Parcel:
    """One output of an entry; ``number`` is its place in line, which a failure does not cost it.

    ``refused`` once, it goes out alone the next time: what librdkafka sends together is refused together.
    ``replaced`` after that, it is the dead letter.
    """

    number: int
    entry: _Entry = field(compare=False)
    record: OutgoingRecord = field(compare=False)
    refused: bool = field(default=False, compare=False)
    replaced: bool = field(default=False, compare=False)


class AtLeastOnceOutbox:
    """Delivers batches in the order of their submission, on a thread of its own that the constructor starts.

    An output that the broker refuses for what it is (its size) is replaced by a dead letter that says so, and the
    batch goes on: a record that can never leave must not hold the others back for ever.
    """

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
        self._submitted: deque[_Entry] = deque()
        self._pending = 0
        self._problem: str | None = None
        self._is_alive = True
        self._closing_at: float | None = None
        # The rest belongs to the outbox's thread.
        self._entries: deque[_Entry] = deque()
        self._parcels: deque[_Parcel] = deque()
        self._parcel_numbers = count()
        # A heap of parcels that failed; they go before all others, which are younger than any of them.
        self._retries: list[_Parcel] = []
        self._in_flight: dict[int, _Parcel] = {}
        self._alone = False
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch, settled: Callable[[Delivery], None]) -> bool:
        """Takes a batch in; ``settled`` is called on the outbox's thread. False: full or closed. Never blocks."""
        with self._lock:
            if self._closing_at is not None or self._pending >= self._batches_limit:
                return False
            self._pending += 1
            self._submitted.append(_Entry(batch, settled, len(batch.outputs)))
        self._wake.set()
        return True

    def report(self, record: OutgoingRecord) -> None:
        """Publishes best effort, without a place in any order. Never blocks or raises."""
        try:
            produce(self._producer, record)
        except (BufferError, KafkaException, RuntimeError) as error:  # RuntimeError: the client is closed
            _log.debug("report dropped", topic=record.topic, error=str(error))

    @property
    def pending(self) -> int:
        """Batches submitted and not settled."""
        return self._pending

    @property
    def is_alive(self) -> bool:
        """False once its thread has died; batches that it had stay unsettled."""
        return self._is_alive

    @property
    def problem(self) -> str | None:
        """Why the oldest batch is stuck; None while deliveries succeed."""
        return self._problem

    def close(self, *, timeout_seconds: float) -> bool:
        """Settles what it can within the time. Blocks; safe to repeat. False: batches were left unsettled."""
        with self._lock:
            if self._closing_at is None:
                self._closing_at = self._clock.monotonic() + timeout_seconds
        self._wake.set()
        self._thread.join(timeout_seconds + 2 * POLL_SECONDS + 1.0)
        return self._pending == 0

    def _run(self) -> None:
        try:
            while not self._is_done():
                self._take_in()
                self._send()
                self._listen()
                self._settle()
            self._let_go()
        except BaseException as error:
            self._problem = f"the outbox died: {error!r}"
            self._is_alive = False
            self._closing_at = 0.0
            raise

    def _is_done(self) -> bool:
        closing_at = self._closing_at
        return closing_at is not None and (self._pending == 0 or self._clock.monotonic() >= closing_at)

    def _take_in(self) -> None:
        with self._lock:
            entries = list(self._submitted)
            self._submitted.clear()
            self._wake.clear()
        self._entries.extend(entries)
        for entry in entries:
            for record in entry.batch.outputs:
                self._parcels.append(_Parcel(next(self._parcel_numbers), entry, record))

    def _send(self) -> None:
        while (self._retries or self._parcels) and self._clock.monotonic() >= self._retry_at:
            parcel = self._retries[0] if self._retries else self._parcels[0]
            if self._in_flight and (parcel.refused or self._alone):
                return
            try:
                produce(self._producer, parcel.record, on_delivery=partial(self._answered, parcel))
            except BufferError:
                return
            except KafkaException as error:
                self._take_next()
                self._failed(parcel, error.args[0])
                continue
            self._take_next()
            self._in_flight[parcel.number] = parcel
            self._alone = parcel.refused

    def _take_next(self) -> None:
        if self._retries:
            heappop(self._retries)
        else:
            self._parcels.popleft()

    def _listen(self) -> None:
        waiting = bool(self._in_flight or self._retries or self._parcels)
        if not waiting:
            self._wake.wait(POLL_SECONDS)
        try:
            self._producer.poll(POLL_SECONDS if waiting else 0)
        except KafkaException as error:
            # A fatal error of an idempotent producer, such as a lost sequence, is raised here from now on.
            self._replace_producer(error.args[0])

    def _replace_producer(self, error: KafkaError) -> None:
        _log.error("the producer broke and is replaced", error=error.str())
        self._problem = f"the producer broke: {error.str()}"
        for parcel in self._in_flight.values():
            heappush(self._retries, parcel)
        self._in_flight.clear()
        self._retry_at = self._clock.monotonic() + self._retry_seconds
        broken, self._producer = self._producer, self._new_producer()
        discard(broken)

    def _answered(self, parcel: _Parcel, error: KafkaError | None, _: Message) -> None:
        if self._in_flight.pop(parcel.number, None) is None:
            return  # the last words of a producer that was replaced
        if error is not None:
            self._failed(parcel, error)
            return
        parcel.entry.unconfirmed -= 1
        self._problem = None

    def _failed(self, parcel: _Parcel, error: KafkaError) -> None:
        """Puts the parcel back in its place in line, changed if else it would fail the same way for ever."""
        heappush(self._retries, parcel)
        refusal = error.code() in REFUSALS and not parcel.replaced
        if refusal and not parcel.refused:
            parcel.refused = True
            return
        if refusal:
            _log.error("output replaced by a dead letter", topic=parcel.record.topic, error=error.str())
            parcel.record = undeliverable(parcel.record, message=error.str(), now_ms=self._clock.now_ms())
            parcel.replaced = True
            return
        if self._problem is None:
            _log.warning("deliveries fail and are tried again", topic=parcel.record.topic, error=error.str())
        self._problem = f"delivery to {parcel.record.topic} fails: {error.str()}"
        self._retry_at = self._clock.monotonic() + self._retry_seconds

    def _settle(self) -> None:
        while self._entries and self._entries[0].unconfirmed == 0:
            entry = self._entries.popleft()
            try:
                entry.settled(Delivery(entry.batch, committed=False))
            except Exception:  # noqa: BLE001 - the listener's fault must not stop the batches behind this one
                _log.exception("a batch was delivered, and its owner failed to hear of it")
            with self._lock:
                self._pending -= 1

    def _let_go(self) -> None:
        """Reports still go out if they can; outputs that were left over must not outlive the outbox."""
        with suppress(KafkaException):
            self._producer.flush(0.0 if self._pending else REPORTS_SECONDS)
        discard(self._producer)
