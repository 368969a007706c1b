"""A bucket, a reconciler and its broker, which the test is."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from consumers.cancellations import Cancellations
from producers.reconciler.drops import Drop
from producers.reconciler.reconciler import Reconciler, Report, Rules
from producers.reconciler.tally import Outcome
from producers.results import ResultStore
from schemas.errors import NotDelivered
from schemas.events import AudioReference, CancellationEvent
from schemas.identity import job_id
from schemas.kafka import wire
from schemas.kafka.records import OutgoingRecord, Record
from schemas.kafka.topics import Topics
from schemas.results import AcceptedJob
from schemas.settings import S3Settings
from tests.support.clock import HandClock
from tests.support.object_store import ObjectStore

TOPICS = Topics()
OLD = timedelta(hours=1)


class HandBroker:
    """A broker that keeps what is published. ``refuses`` lets the next calls fail after the records are there."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.cancelled = Cancellations()
        self.connections = 0
        self.is_down = False
        self.refuses = False
        self.before_publishing: list[Callable[[], None]] = []
        """Called once each, last first."""

    @contextmanager
    def opened(self) -> Iterator["HandBroker"]:
        """Connect, as the reconciler does once in a run."""
        if self.is_down:
            raise NotDelivered("no broker")
        self.connections += 1
        yield self

    def cancellations(self) -> Cancellations:
        """As the protocol says."""
        return self.cancelled

    def publish(self, records: Sequence[OutgoingRecord]) -> int:
        """As the protocol says."""
        if self.before_publishing:
            self.before_publishing.pop()()
        self.records += records
        if self.refuses:
            raise NotDelivered("the broker did not confirm")
        return len(records)

    def cancel(self, job: str, at: datetime) -> None:
        """Publish the cancellation of a job."""
        event = CancellationEvent(event_id="c", occurred_at=at, job_id=job)
        self.cancelled.add_past(Record(TOPICS.cancellations, 0, 0, None, event.model_dump_json().encode()))

    def references(self) -> list[AudioReference]:
        """Return the references that were published, in their order."""
        return [
            wire.decode(Record(each.topic, 0, 0, each.key, each.value, each.headers), AudioReference)
            for each in self.records
            if each.topic == TOPICS.references
        ]


class Bench:
    """A reconciler at a bucket; its clock is an hour ahead of the store's, so that no object is too young."""

    def __init__(self, store: ObjectStore, *, versioned: bool = False, **changed: object) -> None:
        self.store = store
        self.settings: S3Settings = store.settings(versioned=versioned, **changed)
        self.results = ResultStore(self.settings, client=store.client)
        self.broker = HandBroker()
        self.clock = HandClock()
        self.clock.seconds = (datetime.now(UTC) + OLD).timestamp()
        self.reconciler = self.new_reconciler()
        self.told: list[tuple[str, Outcome]] = []

    def new_reconciler(self, **rules: Any) -> Reconciler:
        """Return a reconciler that remembers nothing, as one in another process."""
        return Reconciler(
            self.settings,
            self.store.client,
            topics=TOPICS,
            rules=Rules(**{"min_age": timedelta(minutes=10), **rules}),
            clock=self.clock,
            open_broker=self.broker.opened,
        )

    def run(
        self, *buckets: str, prefix: str = "", stopped: Callable[[], bool] = lambda: False, **rules: Any
    ) -> Report:
        """Run once; with rules, in another process."""
        reconciler = self.new_reconciler(**rules) if rules else self.reconciler
        return reconciler.run(buckets or (self.settings.bucket,), prefix, stopped=stopped, tell=self._tell)

    def drop(self, key: str, body: bytes = b"audio", **metadata: str) -> str:
        """Store an object and return its version id, or its etag where the bucket keeps no versions."""
        names = {name.replace("_", "-"): value for name, value in metadata.items()}
        answer = self.store.client.put_object(Bucket=self.settings.bucket, Key=key, Body=body, Metadata=names)
        return answer.get("VersionId") or answer["ETag"].strip('"')

    def counts(self, **rules: Any) -> dict[str, int]:
        """Run once and return the outcomes that occurred; our own objects, such as notes, are left out."""
        counts = self.run(**rules).tally.counts
        return {each.value: count for each, count in counts.items() if count and each is not Outcome.OWN}

    def accepted(self, reference: AudioReference) -> AcceptedJob | None:
        """Return the note of a reference's job."""
        return self.results.find_accepted(job_id(reference.idempotency_key or ""))

    @contextmanager
    def requests(self) -> Iterator[Counter[str]]:
        """Count the requests to the store while the context lasts, by operation."""
        counted: Counter[str] = Counter()

        def count(model: Any, **_: object) -> None:
            counted[model.name] += 1

        events = self.store.client.meta.events
        events.register("before-call.s3", count)
        try:
            yield counted
        finally:
            events.unregister("before-call.s3", count)

    def _tell(self, drop: Drop, outcome: Outcome) -> None:
        self.told.append((drop.found.key, outcome))
