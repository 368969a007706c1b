"""A record to what is to be transcribed: a reference, one dropped object, or several that go their own ways."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from consumers.lenient import sound_fields
from consumers.runtime.stage import Job
from consumers.transcriber.fetch import ObjectFetcher, ObjectState
from schemas import identity
from schemas.errors import InvalidEvent, JobError
from schemas.events import AudioReference
from schemas.kafka import wire
from schemas.kafka.records import OutgoingRecord, Record
from schemas.kafka.topics import Topics, origin_topic
from schemas.kafka.trace import Trace
from schemas.notifications import (
    ObjectCreated,
    is_our_own,
    parse_notification,
    requested_options,
    sound_options,
    split_notification,
    to_reference,
)
from schemas.notifications.metadata import PREFIX, plain_metadata
from schemas.settings import S3Settings

_TOLD: Final = frozenset(
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
    }
)
"""Of a reference that cannot be read: what identifies the job, and whom to tell."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one record asks for. ``reference`` has an idempotency key.

    None with ``forwarded``: the record named several objects, and each goes on as a record of its own.
    None without: it asks for nothing. ``state`` is there when the object had to be looked up already.
    """

    reference: AudioReference | None
    state: ObjectState | None = None
    forwarded: tuple[OutgoingRecord, ...] = ()


class Intake:
    """Reads records of both input topics. Safe to share between threads."""

    def __init__(self, fetcher: ObjectFetcher, *, topics: Topics, settings: S3Settings) -> None:
        self._fetcher = fetcher
        self._topics = topics
        self._settings = settings

    def read(self, job: Job, *, now: datetime) -> Work:
        """What the record asks for. Looks the object up only when a notification leaves its metadata open.

        Leaves in ``job.notes`` what ``best_guess`` needs.

        A notification of several objects is split into one notification for each, on the same topic, so that
        each is tried again, dead-lettered and completed by itself; they leave together with the record's offset.
        Raises InvalidEvent, InvalidOptions, and what ``ObjectFetcher.look_up`` raises.
        """
        if not self.is_notification(job):
            job.notes.reference = reference = _identified(wire.decode(job.record, AudioReference))
            return Work(reference)
        if wire.is_structured(job.record):
            raise InvalidEvent(wire.STRUCTURED)
        created = self._foreign(parse_notification(job.record.value).created)
        if len(created) > 1:
            return Work(None, forwarded=self._split(job.record, job.trace))
        return self._dropped(job, created[0], now=now) if created else Work(None)

    def is_notification(self, job: Job) -> bool:
        """Whether the record is about a dropped object, of which copies arrive as a rule."""
        return origin_topic(job.origin.topic) == self._topics.objects

    def best_guess(self, job: Job, *, now: datetime) -> AudioReference:
        """The reference, as far as a record that failed still tells one. Neither blocks nor raises.

        Once ``read`` has identified the record, its identity stays the same.
        """
        return job.notes.reference or self._guess(job, now)

    def _dropped(self, job: Job, created: ObjectCreated, *, now: datetime) -> Work:
        state = None
        if created.user_metadata is None:
            state = self._fetcher.look_up(created.uri, version_id=created.version_id, etag=created.etag)
            reported = {PREFIX + name: value for name, value in state.reported_metadata.items()}
            created = replace(created, user_metadata=plain_metadata(reported))
        job.notes.reference = to_reference(created, sound_options(created.user_metadata or {}), now=now)
        requested = requested_options(created.user_metadata or {})
        job.notes.reference = to_reference(created, requested, now=now)
        return Work(job.notes.reference, state)

    def _split(self, record: Record, trace: Trace) -> tuple[OutgoingRecord, ...]:
        headers = (("content-type", b"application/json"), *trace.headers)
        return tuple(
            OutgoingRecord(self._topics.objects, f"{created.bucket}/{created.key}".encode(), alone, headers)
            for created, alone in split_notification(record.value)
            if self._foreign((created,))
        )

    def _foreign(self, created: tuple[ObjectCreated, ...]) -> tuple[ObjectCreated, ...]:
        return tuple(one for one in created if not is_our_own(one.bucket, one.key, self._settings))

    def _guess(self, job: Job, now: datetime) -> AudioReference:
        unknown = AudioReference(
            event_id=str(job.origin),
            occurred_at=now,
            uri="unknown",
            idempotency_key=identity.record_key(str(job.origin)),
        )
        if not self.is_notification(job):
            guess = sound_fields(job.record.value, AudioReference, _TOLD, unknown.model_dump())
            if guess.idempotency_key == unknown.idempotency_key and guess.event_id != unknown.event_id:
                guess = _identified(guess.model_copy(update={"idempotency_key": None}))
            return guess
        try:
            created = parse_notification(job.record.value).created[:1]
        except JobError:
            created = ()
        for one in created:
            return to_reference(one, sound_options(one.user_metadata or {}), now=now)
        return unknown


def _identified(reference: AudioReference) -> AudioReference:
    if reference.idempotency_key is not None:
        return reference
    return reference.model_copy(update={"idempotency_key": identity.reference_key(reference.event_id)})
