"""A record to what is to be transcribed: a reference, one dropped object, or several that go their own ways."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from consumers.fetch import ObjectFetcher, ObjectState
from consumers.runtime.stage import Job
from schemas import identity, wire
from schemas.errors import JobError
from schemas.events import AudioReference
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
from schemas.records import OutgoingRecord, Record
from schemas.settings import S3Settings
from schemas.topics import Topics, origin_topic
from schemas.trace import Trace


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
        """What the record asks for. Looks the object up only when the record leaves identity or options open.

        A notification of several objects is split into one notification for each, on the same topic, so that
        each is tried again, dead-lettered and completed by itself; they leave together with the record's offset.
        Raises InvalidEvent, InvalidOptions, and what ``ObjectFetcher.look_up`` raises.
        """
        if origin_topic(job.origin.topic) != self._topics.objects:
            return self._identified(wire.decode(job.record, AudioReference))
        created = self._foreign(parse_notification(job.record.value).created)
        if len(created) > 1:
            return Work(None, forwarded=self._split(job.record, job.trace))
        return self._dropped(created[0], now=now) if created else Work(None)

    def best_guess(self, job: Job, *, now: datetime) -> AudioReference:
        """The reference, as far as a record that failed still tells one. Neither blocks nor raises."""
        try:
            guess = self._guess(job, now)
        except (JobError, ValidationError, ValueError):
            guess = None
        fallback = AudioReference(event_id=str(job.origin), occurred_at=now, uri="unknown")
        reference = guess or fallback
        if reference.idempotency_key is not None:
            return reference
        version = reference.version_id or reference.etag or ""
        key = _key(reference, version)
        return reference.model_copy(update={"idempotency_key": key if guess else f"record {job.origin}"})

    def _identified(self, reference: AudioReference) -> Work:
        if reference.idempotency_key is not None:
            return Work(reference)
        state = None
        version = reference.version_id or reference.etag
        if version is None:
            state = self._fetcher.look_up(reference.uri)
            version = state.version_id or state.etag
        key = _key(reference, version)
        return Work(reference.model_copy(update={"idempotency_key": key}), state)

    def _dropped(self, created: ObjectCreated, *, now: datetime) -> Work:
        state = None
        if created.user_metadata is None:
            state = self._fetcher.look_up(created.uri, version_id=created.version_id, etag=created.etag)
            reported = {PREFIX + name: value for name, value in state.reported_metadata.items()}
            created = replace(created, user_metadata=plain_metadata(reported))
        requested = requested_options(created.user_metadata or {})
        return Work(to_reference(created, requested, now=now), state)

    def _split(self, record: Record, trace: Trace) -> tuple[OutgoingRecord, ...]:
        headers = (("content-type", b"application/json"), (wire.TRACEPARENT, trace.traceparent.encode()))
        return tuple(
            OutgoingRecord(self._topics.objects, f"{created.bucket}/{created.key}".encode(), alone, headers)
            for created, alone in split_notification(record.value)
            if self._foreign((created,))
        )

    def _foreign(self, created: tuple[ObjectCreated, ...]) -> tuple[ObjectCreated, ...]:
        return tuple(one for one in created if not is_our_own(one.bucket, one.key, self._settings))

    def _guess(self, job: Job, now: datetime) -> AudioReference | None:
        if origin_topic(job.origin.topic) != self._topics.objects:
            return _lenient_reference(job.record, now)
        for created in parse_notification(job.record.value).created[:1]:
            return to_reference(created, sound_options(created.user_metadata or {}), now=now)
        return None


def _sound_metadata(metadata: Any) -> dict[str, str]:
    """What can be echoed, number 7 as ``7``: the caller finds its record again by what it wrote rightly."""
    fields = metadata.items() if isinstance(metadata, dict) else ()
    scalars = {name: value for name, value in fields if isinstance(value, str | int | float)}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in scalars.items()}


def _key(reference: AudioReference, version: str) -> str:
    return identity.reference_key(
        uri=reference.uri, version=version, options=reference.options, enrich=reference.enrich
    )


def _lenient_reference(record: Record, now: datetime) -> AudioReference | None:
    found: Any = from_json(record.value or b"null")
    if not isinstance(found, dict):
        return None
    # What identifies the job and whom to tell, each only if it is sound; options cannot be trusted here.
    found = {**found, "metadata": _sound_metadata(found.get("metadata"))}
    known: dict[str, Any] = {"event_id": str(record.coordinates), "occurred_at": now, "uri": "unknown"}
    for name in (
        "uri",
        "version_id",
        "etag",
        "idempotency_key",
        "options",
        "enrich",
        "tenant",
        "lane",
        "metadata",
    ):
        try:
            AudioReference.model_validate({**known, name: found.get(name)})
        except ValidationError:
            continue
        known[name] = found[name] if name in found else known.get(name)
    return AudioReference.model_validate({name: value for name, value in known.items() if value is not None})
