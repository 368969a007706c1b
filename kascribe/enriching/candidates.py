"""Transcripts of the topic that a run has to enrich: those that it covers and that lack the enrichment."""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Final, Self

from kascribe.enriching.plan import Selection
from kascribe.enriching.source import TranscriptTopic
from producers.results import EnrichmentResults
from schemas.errors import InvalidEvent, JobError
from schemas.events import TranscriptEvent
from schemas.identity import enrich_digest
from schemas.kafka.delivery import Partition
from schemas.kafka.records import Coordinates, Record
from schemas.kafka.wire import decode
from schemas.options import EnrichOptions

BATCH_RECORDS: Final = 64
"""Transcripts that are looked up in the bucket together."""

LOOKUP_THREADS: Final = 16
FAILURES_LIMIT: Final = 100
"""Most failures that are kept to be listed; further ones are only counted."""


@dataclass(frozen=True, slots=True)
class FailedTranscript:
    """A transcript with a failed enrichment."""

    job_id: str
    reason: str
    message: str


@dataclass(slots=True)
class Tally:
    """What this invocation of a run has read and done. ``in_flight``: requests without an answer."""

    total: int = 0
    read: int = 0
    left_out: int = 0
    unreadable: int = 0
    enriched_already: int = 0
    requested: int = 0
    in_flight: int = 0
    enriched: int = 0
    failed: int = 0
    cancelled: int = 0
    failures: list[FailedTranscript] = field(default_factory=list)

    def fail(self, job_id: str, reason: str, message: str) -> None:
        """Count a failure, and keep it to be listed."""
        self.failed += 1
        if len(self.failures) < FAILURES_LIMIT:
            self.failures.append(FailedTranscript(job_id, reason, message))


class Candidates:
    """Reads the topic in batches and looks each transcript up in the bucket. Not thread-safe; a context.

    Methods block and raise DependencyDown. ``next_offsets`` is where reading continues in each partition.
    """

    def __init__(
        self, topic: TranscriptTopic, enrichments: EnrichmentResults, options: EnrichOptions, selection: Selection
    ) -> None:
        self.tally = Tally(total=topic.total)
        self.is_read = False
        self.next_offsets: dict[Partition, int] = topic.starts
        self._records = topic.records()
        self._enrichments = enrichments
        self._digest = enrich_digest(options)
        self._selection = selection
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="lookup")

    def batch(self, *, in_flight: Collection[str] = ()) -> dict[Coordinates, TranscriptEvent]:
        """Return the transcripts of the next records that lack the enrichment. ``in_flight``: requested jobs."""
        batch = list(islice(self._records, BATCH_RECORDS))
        selected = dict(self._selected(batch, set(in_flight)))
        missing = {}
        for (place, event), outcome in zip(
            selected.items(), self._threads.map(self._look_up, selected.values()), strict=True
        ):
            if isinstance(outcome, InvalidEvent):
                self.tally.fail(event.job_id, outcome.reason, outcome.message)
            elif outcome:
                self.tally.enriched_already += 1
            else:
                missing[place] = event
        for record in batch:
            self.next_offsets[record.topic, record.partition] = record.offset + 1
        self.is_read = len(batch) < BATCH_RECORDS
        return missing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _selected(
        self, records: Iterable[Record], jobs: set[str]
    ) -> Iterator[tuple[Coordinates, TranscriptEvent]]:
        for record in records:
            self.tally.read += 1
            if record.value is None:  # a tombstone, where the topic is compacted
                continue
            try:
                event = decode(record, TranscriptEvent)
            except JobError:
                self.tally.unreadable += 1
                continue
            if not self._selection.includes(event):
                self.tally.left_out += 1
            elif event.job_id in jobs:
                # Published twice, as after a crash: the first one has been requested.
                self.tally.enriched_already += 1
            else:
                jobs.add(event.job_id)
                yield record.coordinates, event

    def _look_up(self, event: TranscriptEvent) -> InvalidEvent | bool:
        """Return whether the enrichment is stored; the error if what is stored cannot be read."""
        try:
            return self._enrichments.find_enrichment(event.job_id, self._digest) is not None
        except InvalidEvent as error:
            return error
