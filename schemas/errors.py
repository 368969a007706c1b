"""Error hierarchy, and how the runtime handles each kind.

::

    KascribeError
    ├── ConfigurationError        a setting is wrong: the process does not start
    ├── StoreError                a model cannot be fetched, found or trusted
    │   └── ModelNotFound         it is not on this disk
    ├── NotDelivered              the broker did not confirm records in time
    ├── ClientBroken              the Kafka client cannot continue: the process ends, a new one takes over
    │   └── InstanceIdInUse       the broker still counts another member with this group.instance.id
    ├── JobCancelled              the work stopped before its end, because it was cancelled
    └── JobError                  one record failed; carries a Reason
        ├── PermanentError        the same input fails again: dead letter at once
        │   ├── InvalidEvent
        │   ├── InvalidOptions
        │   ├── KeyReused
        │   ├── SourceNotAllowed
        │   ├── AudioTooLarge
        │   ├── AudioTooLong
        │   ├── AudioEmpty
        │   ├── AudioUndecodable
        │   ├── WebhookNotAllowed
        │   ├── WebhookRefused
        │   ├── KillerRecord          processes ended while this record ran
        │   └── EnrichmentInvalid
        ├── TransientError        may resolve by itself: retry topics, then dead letter with the same reason
        │   ├── AudioNotFound
        │   ├── AudioForbidden
        │   ├── DecoderCrashed
        │   ├── EngineFailed
        │   ├── WebhookFailed
        │   ├── WebhookPostponed
        │   └── EnrichmentFailed
        └── DependencyDown        not the record's fault: intake pauses, no attempt is counted while it lasts

Foreign exceptions are translated where the foreign library is called, and nowhere else.
"""

from enum import StrEnum
from typing import ClassVar, Final


class Reason(StrEnum):
    """Why a record was dead-lettered. Bounded: it is a metric label and part of the contract."""

    INVALID_EVENT = "invalid_event"
    INVALID_OPTIONS = "invalid_options"
    KEY_REUSED = "key_reused"
    SOURCE_NOT_ALLOWED = "source_not_allowed"
    AUDIO_NOT_FOUND = "audio_not_found"
    AUDIO_FORBIDDEN = "audio_forbidden"
    AUDIO_TOO_LARGE = "audio_too_large"
    AUDIO_TOO_LONG = "audio_too_long"
    AUDIO_EMPTY = "audio_empty"
    AUDIO_UNDECODABLE = "audio_undecodable"
    ENGINE_FAILED = "engine_failed"
    ENRICHMENT_INVALID = "enrichment_invalid"
    ENRICHMENT_FAILED = "enrichment_failed"
    WEBHOOK_NOT_ALLOWED = "webhook_not_allowed"
    WEBHOOK_REFUSED = "webhook_refused"
    WEBHOOK_FAILED = "webhook_failed"
    DEPENDENCY_DOWN = "dependency_down"
    KILLER_RECORD = "killer_record"
    OUTPUT_TOO_LARGE = "output_too_large"
    INTERNAL_ERROR = "internal_error"


class KascribeError(Exception):
    """Root of all errors that Kascribe raises on purpose."""


class ConfigurationError(KascribeError):
    """A setting is missing or wrong; the message names it and says what to do."""


class StoreError(KascribeError):
    """A model cannot be fetched, found or trusted; the message says what to do."""


class ModelNotFound(StoreError):
    """The model is not on this disk, and it was not fetched, or fetching is disabled."""


class NotDelivered(KascribeError):
    """The broker did not confirm all records within the time; some of them may have arrived."""


class ClientBroken(KascribeError):
    """The Kafka client cannot continue; the message names the cause and says what to do. Nothing is lost."""


class InstanceIdInUse(ClientBroken):
    """Another member of the group has this group.instance.id, or the broker still counts an earlier process."""


class JobCancelled(KascribeError):
    """The work was cancelled: the partition was revoked, or every caller has cancelled the job."""


class JobError(KascribeError):
    """One record failed. ``reason`` is for machines, the message for people."""

    reason: ClassVar[Reason]

    @property
    def message(self) -> str:
        """The message for people."""
        return str(self)


class PermanentError(JobError):
    """The same input will fail again, so it is dead-lettered at once."""

    reason = Reason.INTERNAL_ERROR


class InvalidEvent(PermanentError):
    """The record's value is not JSON, has the wrong shape, or has an unknown version."""

    reason = Reason.INVALID_EVENT


class InvalidOptions(PermanentError):
    """The options cannot be met: an unknown name or language, a task that the model lacks."""

    reason = Reason.INVALID_OPTIONS


class KeyReused(PermanentError):
    """The idempotency key names a finished job of other audio, other options or another tenant."""

    reason = Reason.KEY_REUSED


class SourceNotAllowed(PermanentError):
    """The URI is outside the allowed buckets or schemes; nothing was fetched."""

    reason = Reason.SOURCE_NOT_ALLOWED


class AudioTooLarge(PermanentError):
    """The object, or what it decodes to, exceeds the limit in bytes."""

    reason = Reason.AUDIO_TOO_LARGE


class AudioTooLong(PermanentError):
    """The audio exceeds the limit in seconds."""

    reason = Reason.AUDIO_TOO_LONG


class AudioEmpty(PermanentError):
    """The object has no bytes, or its audio stream has no samples."""

    reason = Reason.AUDIO_EMPTY


class AudioUndecodable(PermanentError):
    """The object is not audio, is truncated beyond use, or has no audio stream."""

    reason = Reason.AUDIO_UNDECODABLE


class KillerRecord(PermanentError):
    """Processes ended while this record ran, some of them while it ran alone."""

    reason = Reason.KILLER_RECORD


class EnrichmentInvalid(PermanentError):
    """The language model's answers did not pass validation within the retries allowed."""

    reason = Reason.ENRICHMENT_INVALID


class WebhookNotAllowed(PermanentError):
    """The webhook's address is none that events may be sent to; nothing was sent."""

    reason = Reason.WEBHOOK_NOT_ALLOWED


class WebhookRefused(PermanentError):
    """The receiver of a webhook answered that it does not take the event, now or later."""

    reason = Reason.WEBHOOK_REFUSED


class TransientError(JobError):
    """The failure may resolve by itself: the record is retried later, a bounded number of times.

    ``attempts`` bounds this kind of error below the runtime's own limit; None leaves it to the runtime. No attempt
    is counted, and the shortest delay is taken, unless ``was_tried``. ``retry_after_seconds`` is the shortest time
    in which a retry makes sense, as far as the delays allow.
    """

    reason = Reason.INTERNAL_ERROR
    attempts: ClassVar[int | None] = None
    was_tried: ClassVar[bool] = True
    retry_after_seconds: float = 0.0


class AudioNotFound(TransientError):
    """The object does not exist (yet): notifications can overtake replication."""

    reason = Reason.AUDIO_NOT_FOUND
    attempts = 3


class AudioForbidden(TransientError):
    """The credentials may not read the object (yet): policies propagate slowly."""

    reason = Reason.AUDIO_FORBIDDEN
    attempts = 3


class DecoderCrashed(TransientError):
    """The decoding child died or hung; the cause may be its input, or the machine."""

    reason = Reason.AUDIO_UNDECODABLE
    attempts = 2


class EngineFailed(TransientError):
    """Inference failed for this record although its input is valid."""

    reason = Reason.ENGINE_FAILED


class EnrichmentFailed(TransientError):
    """The language model server failed this request."""

    reason = Reason.ENRICHMENT_FAILED


class WebhookFailed(TransientError):
    """The receiver of a webhook did not answer, or answered that it cannot take the event now."""

    reason = Reason.WEBHOOK_FAILED

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class WebhookPostponed(TransientError):
    """Too many other events wait for the same receiver: this one comes again soon."""

    reason = Reason.WEBHOOK_FAILED
    was_tried = False


DESCRIPTORS: Final = "descriptors"
"""``DependencyDown.dependency`` when files and sockets cannot be opened because too many are open."""

SCRATCH: Final = "scratch"
"""The local disk's name as a dependency: a full one pauses intake."""
ENGINE: Final = "engine"
"""The model and its decoders as a dependency: without them a process pauses intake."""


class DependencyDown(JobError):
    """A service that every record needs is not available; intake pauses until it is.

    ``dependency`` is a bounded name such as ``s3`` or ``vllm``: it is a metric label. ``needed_bytes`` is the
    space that must be free before a retry makes sense, where the dependency is a disk. ``fails_every_record``: no
    record can be at fault, even if a probe finds the service up.
    """

    reason = Reason.DEPENDENCY_DOWN

    def __init__(
        self, dependency: str, message: str, *, needed_bytes: int = 0, fails_every_record: bool = False
    ) -> None:
        super().__init__(message)
        self.dependency = dependency
        self.needed_bytes = needed_bytes
        self.fails_every_record = fails_every_record or dependency == DESCRIPTORS
