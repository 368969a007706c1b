"""Reading of references from records: published references, and notifications about dropped objects."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from consumers.lenient import decode_leniently
from consumers.runtime.ports import Job
from consumers.transcriber.fetch import ObjectFetcher
from consumers.transcriber.objects import ObjectState
from schemas import identity
from schemas.errors import InvalidEvent, JobError
from schemas.events import AudioReference
from schemas.kafka import wire
from schemas.kafka.records import OutgoingRecord, Record
from schemas.kafka.topics import Topics, origin_topic
from schemas.kafka.trace import Trace
from schemas.notifications import (
    ObjectCreated,
    is_own_object,
    parse_notification,
    requested_options,
    split_notification,
    to_reference,
    valid_options,
)
from schemas.notifications.metadata import PREFIX, plain_metadata
from schemas.settings import S3Settings

_IDENTIFYING_FIELDS: Final = frozenset(
    {
        "event_id",
        "occurred_at",
        "uri",
        "version_id",
        "etag",
        "idempotency_key",
        "tenant",
        "lane",
        "metadata",
        "webhook_url",
    }
)
"""Fields read of a reference that cannot be decoded: enough to identify the job, and the caller of its events."""


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """The reference in a record, with an idempotency key.

    None with ``forwarded``: the record names several objects, and each is forwarded as a record of its own.
    None without: there is nothing to transcribe. ``state`` is set when the store had to be queried already.
    """

    reference: AudioReference | None
    state: ObjectState | None = None
    forwarded: tuple[OutgoingRecord, ...] = ()


class ReferenceReader:
    """Reads records of both input topics. Thread-safe."""

    def __init__(self, fetcher: ObjectFetcher, *, topics: Topics, settings: S3Settings) -> None:
        self._fetcher = fetcher
        self._topics = topics
        self._settings = settings

    def read(self, job: Job, *, now: datetime) -> ReadRecord:
        """Return the reference in a record, and keep it in ``job.notes`` for ``best_guess``.

        Blocks for a request to the store when a notification lacks the object's metadata. A notification of
        several objects is split into one notification for each, on the same topic, so that each is retried,
        dead-lettered and completed separately; they are published together with the record's offset. Raises
        InvalidEvent, InvalidOptions, and what ``ObjectFetcher.stat`` raises.
        """
        if not self.is_notification(job):
            job.notes.reference = reference = _with_key(wire.decode(job.record, AudioReference))
            return ReadRecord(reference)
        if wire.is_structured(job.record):
            raise InvalidEvent(wire.STRUCTURED)
        created = self._without_results(parse_notification(job.record.value).created)
        if len(created) > 1:
            return ReadRecord(None, forwarded=self._split(job.record, job.trace))
        return self._read_dropped(job, created[0], now=now) if created else ReadRecord(None)

    def is_notification(self, job: Job) -> bool:
        """Return whether the record is about a dropped object. Expect copies of such records."""
        return origin_topic(job.origin.topic) == self._topics.objects

    def best_guess(self, job: Job, *, now: datetime) -> AudioReference:
        """Return as much of the reference as can be decoded of a record that failed. Neither blocks nor raises.

        Once ``read`` has identified the record, its identity stays the same.
        """
        return job.notes.reference or self._guess(job, now)

    def _read_dropped(self, job: Job, created: ObjectCreated, *, now: datetime) -> ReadRecord:
        state = None
        if created.user_metadata is None:
            state = self._fetcher.stat(created.uri, version_id=created.version_id, etag=created.etag)
            reported = {PREFIX + name: value for name, value in state.reported_metadata.items()}
            created = replace(created, user_metadata=plain_metadata(reported))
        job.notes.reference = to_reference(created, valid_options(created.user_metadata or {}), now=now)
        requested = requested_options(created.user_metadata or {})
        job.notes.reference = to_reference(created, requested, now=now)
        return ReadRecord(job.notes.reference, state)

    def _split(self, record: Record, trace: Trace) -> tuple[OutgoingRecord, ...]:
        headers = (("content-type", b"application/json"), *trace.headers)
        return tuple(
            OutgoingRecord(self._topics.objects, f"{created.bucket}/{created.key}".encode(), alone, headers)
            for created, alone in split_notification(record.value)
            if self._without_results((created,))
        )

    def _without_results(self, created: tuple[ObjectCreated, ...]) -> tuple[ObjectCreated, ...]:
        return tuple(one for one in created if not is_own_object(one.bucket, one.key, self._settings))

    def _guess(self, job: Job, now: datetime) -> AudioReference:
        unknown = AudioReference(
            event_id=str(job.origin),
            occurred_at=now,
            uri="unknown",
            idempotency_key=identity.record_key(str(job.origin)),
        )
        if not self.is_notification(job):
            guess = decode_leniently(job.record.value, AudioReference, _IDENTIFYING_FIELDS, unknown.model_dump())
            if guess.idempotency_key == unknown.idempotency_key and guess.event_id != unknown.event_id:
                guess = _with_key(guess.model_copy(update={"idempotency_key": None}))
            return guess
        try:
            created = parse_notification(job.record.value).created[:1]
        except JobError:
            created = ()
        for one in created:
            return to_reference(one, valid_options(one.user_metadata or {}), now=now)
        return unknown


def _with_key(reference: AudioReference) -> AudioReference:
    if reference.idempotency_key is not None:
        return reference
    return reference.model_copy(update={"idempotency_key": identity.reference_key(reference.event_id)})
