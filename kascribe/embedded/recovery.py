"""What an embedded stack puts right after a start: its topics ended with the last run, while the bucket was kept.

A job that was accepted and has neither finished nor failed was lost with the topics: its reference is published
again. A recording that no job in the bucket names belongs to a job that was lost or has failed: it is deleted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Self, TypeVar

from producers.publisher import Publisher
from producers.result_removal import ResultRemoval
from producers.results import EnrichmentResults, ResultStore, open_objects
from producers.s3 import JsonObjects
from schemas.clock import Clock
from schemas.events import AudioReference, Phase, ProgressEvent
from schemas.identity import enrich_digest, random_id
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.results import AcceptedJob, ResultKeys, StoredJob
from schemas.roles import Role
from schemas.settings import Settings

JobT = TypeVar("JobT", AcceptedJob, StoredJob)

_ID: Final = "id"


@dataclass(frozen=True, slots=True)
class Before:
    """The bucket before anything ran that uploads or accepts: a recovery touches nothing younger."""

    uploads: Sequence[str]
    """Keys of recordings."""
    accepted: Sequence[str]
    """Ids of jobs."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did."""

    republished: int
    deleted_uploads: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the bucket says of jobs, by id."""

    accepted: Mapping[str, AcceptedJob]
    finished: Mapping[str, StoredJob]
    failed: frozenset[str]

    @property
    def lost(self) -> list[AcceptedJob]:
        """The jobs that were accepted and did not end."""
        return [job for id_, job in self.accepted.items() if id_ not in self.finished and id_ not in self.failed]

    @property
    def recordings(self) -> set[str]:
        """The addresses of the audio of all jobs."""
        accepted = {job.reference.uri for job in self.accepted.values()}
        return accepted | {job.reference.uri for job in self.finished.values() if job.reference is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Reads and repairs the bucket. Methods block, are safe to repeat, and raise DependencyDown."""

    settings: Settings
    results: ResultStore
    enrichments: EnrichmentResults
    removal: ResultRemoval
    objects: JsonObjects
    uploads: JsonObjects
    clock: Clock
    read: Callable[[str], bytes | None]
    """Reads an object of the results: there are two for each job, so a request for each would take long."""

    @classmethod
    def opened(
        cls, settings: Settings, *, clock: Clock, read: Callable[[str], bytes | None] | None = None
    ) -> Self:
        """Build one on the bucket of these settings; without ``read``, it reads by requests too."""
        objects = open_objects(settings.s3, None)
        return cls(
            settings=settings,
            results=ResultStore(settings.s3, client=objects.client),
            enrichments=EnrichmentResults(settings.s3, client=objects.client),
            removal=ResultRemoval(settings.s3, clock=clock, client=objects.client),
            objects=objects,
            uploads=JsonObjects(objects.client, settings.s3.bucket),
            clock=clock,
            read=read or objects.read,
        )

    def look(self) -> Before:
        """Return what earlier runs left. Call it before anything else uses the bucket."""
        uploads = self.uploads.keys(self.settings.s3.uploads_prefix)
        return Before(uploads, self._ids_like(self._keys.accepted(_ID)))

    def run(self, before: Before, publisher: Publisher, *, is_enriching: bool) -> Recovered:
        """Publish lost jobs again, and delete recordings without a job. ``is_enriching``: an enricher runs."""
        stored = self._read(before)
        again = [self._renew(job) for job in stored.lost]
        if is_enriching:
            again += [
                self._renewed(job.reference)
                for id_, job in stored.finished.items()
                if job.reference is not None and id_ not in stored.failed and self._lacks_enrichment(job)
            ]
        topic = Topics(self.settings.kafka.topic_prefix).references
        publisher.publish(
            encode(each, topic=topic, key=str(each.correlation()["job_id"]), trace=Trace.start()) for each in again
        )
        recordings = stored.recordings
        orphans = [key for key in before.uploads if self.uploads.uri(key) not in recordings]
        for key in orphans:
            self.uploads.delete(key)
        return Recovered(len(again), len(orphans))

    def on_progress(self, event: ProgressEvent) -> None:
        """Delete an accepted job that was cancelled, with its upload: no later run is to repeat it."""
        if event.phase is Phase.CANCELLED and event.stage == Role.TRANSCRIBER:
            accepted = self.results.find_accepted(event.job_id)
            if accepted is not None and accepted.accepted_at <= event.occurred_at:
                self.removal.discard(accepted)

    def _read(self, before: Before) -> Stored:
        finished_ids = self._ids_like(self._keys.job(_ID))
        failures = self.objects.keys(self._keys.failures(_ID).removesuffix(f"{_ID}/"))
        return Stored(
            self._found(before.accepted, self._keys.accepted, AcceptedJob),
            self._found(finished_ids, self._keys.job, StoredJob),
            frozenset(PurePosixPath(key).parent.name for key in failures),
        )

    def _found(self, ids: Sequence[str], key_of: Callable[[str], str], kind: type[JobT]) -> dict[str, JobT]:
        bodies = ((id_, self.read(key_of(id_))) for id_ in ids)
        return {id_: kind.model_validate_json(body) for id_, body in bodies if body is not None}

    def _renew(self, job: AcceptedJob) -> AudioReference:
        again = self._renewed(job.reference)
        renewed = job.model_copy(update={"accepted_at": again.occurred_at, "reference": again})
        self.results.renew_accepted(renewed)
        return again

    def _renewed(self, reference: AudioReference) -> AudioReference:
        # An identity of its own: earlier cancellations are those of earlier references.
        return reference.model_copy(update={"event_id": random_id(), "occurred_at": self.clock.now()})

    def _lacks_enrichment(self, job: StoredJob) -> bool:
        enrich = job.event.enrich
        if enrich is None or not enrich.has_work:
            return False
        return self.enrichments.find_enrichment(job.job_id, enrich_digest(enrich)) is None

    @property
    def _keys(self) -> ResultKeys:
        return ResultKeys(self.settings.s3.results_prefix)

    def _ids_like(self, key: str) -> list[str]:
        prefix, _, suffix = key.rpartition(_ID)
        return [found.removeprefix(prefix).removesuffix(suffix) for found in self.objects.keys(prefix)]
