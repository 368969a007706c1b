"""The archive's stage: an event in, rows of the database out; it publishes nothing.

::

    decode ─▶ body from the bucket, if it is not stored yet ─▶ write, commit ─▶ done

Its topics belong to other roles, whose dead letters mean that a job failed. So a record that cannot be read or
stored is logged and counted here, and skipped; only a service that is down keeps a record back.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from consumers.archive import changes
from consumers.archive.changes import Change
from consumers.archive.database import ARCHIVE_DEPENDENCY, ArchiveDatabase
from consumers.archive.ports import Bodies
from consumers.archive.writer import GroupWriter
from consumers.metrics import Metrics
from consumers.runtime.ports import Job
from schemas.errors import DependencyDown, JobError
from schemas.events import (
    AudioReference,
    EnrichmentEvent,
    EnrichmentResult,
    EnrichmentStatus,
    Failure,
    ProgressEvent,
    TranscriptEvent,
)
from schemas.kafka import wire
from schemas.kafka.deletions import DeletionEvent
from schemas.kafka.records import OutgoingRecord, Record
from schemas.kafka.topics import Topics
from schemas.monitoring import Metric
from schemas.monitoring.tracing import discard
from schemas.notifications import is_own_object, parse_notification, to_reference, valid_options
from schemas.object_addresses import S3
from schemas.roles import Role
from schemas.settings import S3Settings

SKIPPED: Final = Metric(
    "kascribe_archive_skipped_records_total",
    "counter",
    "records",
    ("topic",),
    "Records that the archive could not read or store, and skipped; its log says why.",
)

_log: Final = structlog.get_logger(__name__)


class ArchiveStage:
    """Implements ``consumers.runtime.ports.Stage``. Safe to repeat, and to run in several processes."""

    name = Role.ARCHIVE

    def __init__(
        self, database: ArchiveDatabase, bodies: Bodies, *, topics: Topics, s3: S3Settings, metrics: Metrics
    ) -> None:
        self._database = database
        self._writer = GroupWriter(database)
        self._bodies = bodies
        self._s3 = s3
        self._skipped = metrics.counter(SKIPPED)
        # A job has many events of progress, and its traces would show the archive most of all.
        self._traced = frozenset({topics.transcripts, topics.enrichments})
        self._read: dict[str, Callable[[Record], Sequence[Change]]] = {
            topics.references: _requested,
            topics.objects: self._dropped,
            topics.progress: _stepped,
            topics.transcripts: self._transcribed,
            topics.enrichments: self._enriched,
            topics.deletions: _deleted,
        }
        for topic in self._read:
            self._skipped.labels(topic)  # a series that appears with its first event hides that event

    @property
    def topics(self) -> tuple[str, ...]:
        """Everything that is said of jobs."""
        return tuple(self._read)

    @property
    def retried_topics(self) -> tuple[str, ...]:
        """None: retry topics hold requests to try again, which the archive has seen."""
        return ()

    @property
    def services(self) -> tuple[str, ...]:
        """The database, and the bucket for transcripts."""
        return (ARCHIVE_DEPENDENCY, S3)

    def process(self, job: Job) -> Sequence[OutgoingRecord]:
        """Store what a record says, and return nothing to publish. Raises DependencyDown alone."""
        if job.record.topic not in self._traced:
            discard()
        try:
            self._writer.write(self._read[job.record.topic](job.record))
        except DependencyDown:
            raise
        except JobError as error:
            self._skip(job.record, str(error))
        except Exception as error:  # noqa: BLE001 - a dead letter would count as a failed job
            # Without the error's text, which may hold a transcript's.
            self._skip(job.record, f"unexpected {type(error).__name__}")
        return ()

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:  # noqa: ARG002 - the protocol's names
        """Return nothing: what the archive cannot store has not failed."""
        return ()

    def dependency_is_up(self, dependency: str) -> bool:
        """Return whether the bucket, or the database, answers."""
        return self._bodies.is_up() if dependency == S3 else self._database.is_up()

    def _skip(self, record: Record, why: str) -> None:
        _log.warning("record is not archived", record=str(record.coordinates), why=why[:500])
        self._skipped.labels(record.topic).inc()

    def _dropped(self, record: Record) -> Sequence[Change]:
        """Return the jobs of dropped objects, where the notification tells enough; else their events will."""
        now = datetime.fromtimestamp(record.timestamp_ms / 1_000, UTC)
        return [
            changes.requested(to_reference(created, valid_options(created.user_metadata), now=now))
            for created in parse_notification(record.value).created
            if created.user_metadata is not None and not is_own_object(created.bucket, created.key, self._s3)
        ]

    def _transcribed(self, record: Record) -> Sequence[Change]:
        event = wire.decode(record, TranscriptEvent)
        at_ms = changes.milliseconds(event.occurred_at)
        if self._database.has_transcript(event.job_id, event.event_id, at_ms):
            return ()
        return (changes.transcribed(event, self._bodies.transcript(event.transcript_uri)),)

    def _enriched(self, record: Record) -> Sequence[Change]:
        event = wire.decode(record, EnrichmentEvent)
        if any(map(_lacks_output, event.results)):
            event = self._bodies.enrichment(event.results_uri) or event
        return (changes.enriched(event),)


def _requested(record: Record) -> Sequence[Change]:
    return (changes.requested(wire.decode(record, AudioReference)),)


def _stepped(record: Record) -> Sequence[Change]:
    return (changes.stepped(wire.decode(record, ProgressEvent)),)


def _deleted(record: Record) -> Sequence[Change]:
    return (changes.deleted(wire.decode(record, DeletionEvent)),)


def _lacks_output(result: EnrichmentResult) -> bool:
    """Return whether an output was left out of the event for its size."""
    return result.status is EnrichmentStatus.COMPLETED and result.output is None
