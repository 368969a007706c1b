"""A checked request for a job, and whether it requests the same as an earlier one with its key. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from producers.finished_jobs import is_same_job
from schemas import identity
from schemas.events import AudioReference
from schemas.kafka.trace import Trace
from schemas.options import EnrichOptions, Lane, TranscribeOptions
from schemas.results import AcceptedJob, StoredJob


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object of an allowed bucket, as a request names it."""

    uri: str
    version_id: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that came with the request."""

    name: str
    content_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmission:
    """A checked request. ``is_repeatable``: the client chose the key, and may repeat the request."""

    audio: NamedObject | UploadedFile
    idempotency_key: str
    is_repeatable: bool
    options: TranscribeOptions
    enrich: EnrichOptions | None
    lane: Lane
    tenant: str
    metadata: Mapping[str, str]
    trace: Trace
    webhook_url: str | None = None

    @property
    def job_id(self) -> str:
        """The job that the key names."""
        return identity.job_id(self.idempotency_key)

    def reference(self, stored: NamedObject, *, event_id: str, now: datetime) -> AudioReference:
        """Return the reference to publish, for the audio where it is stored."""
        return AudioReference(
            event_id=event_id,
            occurred_at=now,
            uri=stored.uri,
            version_id=stored.version_id,
            etag=stored.etag,
            idempotency_key=self.idempotency_key,
            options=self.options,
            enrich=self.enrich,
            lane=self.lane,
            tenant=self.tenant,
            metadata=dict(self.metadata),
            webhook_url=self.webhook_url,
        )


def is_same_as_accepted(submission: JobSubmission, audio_sha256: str | None, accepted: AcceptedJob) -> bool:
    """Return whether a request repeats the one of an accepted job. Lane, metadata and webhook are not compared."""
    first = accepted.reference
    if accepted.audio_sha256 is not None or isinstance(submission.audio, UploadedFile):
        is_same_audio = audio_sha256 == accepted.audio_sha256
    else:
        is_same_audio = submission.audio == NamedObject(first.uri, first.version_id, first.etag)
    return (
        is_same_audio
        and submission.tenant == first.tenant
        and _digest(submission.options) == _digest(first.options)
        and set(submission.options.exports) <= set(first.options.exports)
        and submission.enrich in (None, first.enrich)
    )


def is_same_as_finished(submission: JobSubmission, audio_sha256: str | None, finished: StoredJob) -> bool:
    """Return whether a request repeats a finished job that another producer requested."""
    event, audio = finished.event, submission.audio
    if isinstance(audio, NamedObject):
        source = event.source
        if audio.uri != source.uri or audio.version_id not in (None, source.version_id):
            return False
        audio_sha256 = source.sha256
    return (
        submission.tenant == event.tenant
        and is_same_job(event, audio_sha256=audio_sha256 or "", options=submission.options)
        and set(submission.options.exports) <= event.exports.keys()
        and submission.enrich in (None, event.enrich)
    )


def _digest(options: TranscribeOptions) -> str:
    return identity.options_digest(options.model_copy(update={"model": None}))
