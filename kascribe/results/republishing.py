"""Rebuilding of a finished job's events from the bucket, for a record lost before it published them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consumers.progress import ProgressEvents
from producers.results import EnrichmentResults, ResultStore
from schemas.clock import Clock
from schemas.errors import ConfigurationError
from schemas.events import EnrichmentEvent, Event, JobEvent, Phase, TranscriptEvent
from schemas.kafka.large_outputs import omit_large_outputs
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.roles import Role


@dataclass(frozen=True, slots=True)
class Republishing:
    """Builds records from the bucket; publishes nothing itself. Methods block and raise DependencyDown."""

    results: ResultStore
    enrichments: EnrichmentResults
    topics: Topics
    clock: Clock

    def records(self, job_id: str) -> Sequence[OutgoingRecord]:
        """Return the job's transcript, its enrichments, and COMPLETED for each, with their original ids.

        Raises ConfigurationError when no such job has finished, and InvalidEvent for unreadable results.
        """
        stored = self.results.find_job(job_id)
        if stored is None:
            raise ConfigurationError(
                f"no finished job {job_id} is in the bucket, so there is nothing to publish again: a job that did "
                "not finish is done when its reference is published again"
            )
        trace = Trace.start()
        enrichments = [each.event for each in self.enrichments.enrichments_of(job_id)]
        events = (*self._transcribed(stored.event), *self._enriched(enrichments))
        return [encode(event, topic=topic, key=job_id, trace=trace) for topic, event in events]

    def _transcribed(self, event: TranscriptEvent) -> Iterator[tuple[str, Event]]:
        yield self.topics.transcripts, event
        yield self._completed(event, Role.TRANSCRIBER, event.transcript_uri)

    def _enriched(self, events: Sequence[EnrichmentEvent]) -> Iterator[tuple[str, Event]]:
        for event in events:
            yield self.topics.enrichments, omit_large_outputs(event)
            yield self._completed(event, Role.ENRICHER, event.results_uri)

    def _completed(self, event: JobEvent, role: Role, result_uri: str) -> tuple[str, Event]:
        events = ProgressEvents(role, event.correlation(), self.clock)
        return self.topics.progress, events.end(Phase.COMPLETED, result_uri=result_uri)
