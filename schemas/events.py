"""Events of the topics, one frozen model each.

``schema_version`` is ``major.minor``: unknown fields are ignored, an unknown major version is refused. Names
inside ``options`` and ``enrich`` are refused, since a misspelt one changes the result: see ``schemas.kafka.wire``.
"""

import re
from enum import StrEnum
from typing import Any, ClassVar, Final

from pydantic import Field, field_validator

from schemas import identity
from schemas.errors import Reason
from schemas.moments import Moment
from schemas.options import EnrichOptions, ExportFormat, Lane, TranscribeOptions
from schemas.transcripts.answer_flags import AnswerFlag
from schemas.transcripts.doubts import Doubt
from schemas.transcripts.transcript import (
    Contract,
    LanguageGuess,
    Provenance,
    QualityFlag,
    SourceObject,
    StageTiming,
    TokenUsage,
    TranscriptStatus,
    Usage,
)
from schemas.webhooks.addresses import WebhookUrl

EVENT_SCHEMA_VERSION: Final = "1.0"
INLINE_TEXT_BYTES: Final = 65_536
"""Longer texts are in the bucket only, so that no event approaches the broker's limit of a megabyte."""

_VERSION: Final = r"^1\.[0-9]{1,9}$"
_S3_ADDRESS: Final = r"^s3://[^/]+/[\s\S]"
"""For the JSON Schema only: ``schemas.object_addresses`` checks addresses and raises SourceNotAllowed."""


def _minor(version: str) -> int:
    return int(version.split(".")[1])


class Event(Contract):
    """Base of the events."""

    ce_type: ClassVar[str]

    schema_version: str = Field(
        default=EVENT_SCHEMA_VERSION,
        description="Major and minor. Absent: 1.0.",
        json_schema_extra={"pattern": _VERSION},
    )
    event_id: str = Field(description="Unique per event; a redelivered job repeats its event's id.")
    occurred_at: Moment

    @field_validator("schema_version")
    @classmethod
    def _known_major(cls, value: str) -> str:
        if not re.fullmatch(_VERSION, value):
            raise ValueError(f"schema_version {value[:20]!r} is not understood; this release reads 1.x")
        return value

    @property
    def is_later_version(self) -> bool:
        """Whether its publisher may use options and fields that this release does not know."""
        return _minor(self.schema_version) > _minor(EVENT_SCHEMA_VERSION)


class AudioReference(Event):
    """``audio.references``: request to transcribe an object."""

    ce_type = "kascribe.audio.reference.v1"

    uri: str = Field(
        description="s3://bucket/key, the key not encoded.",
        examples=["s3://audio/call.wav"],
        json_schema_extra={"pattern": _S3_ADDRESS},
    )
    version_id: str | None = Field(default=None, description="The version to read; without it, the latest.")
    etag: str | None = Field(default=None, description="The object's ETag, to notice that it has changed.")
    idempotency_key: str | None = Field(
        default=None,
        max_length=512,
        description="References with the same key are one job; without a key the event_id identifies the job.",
    )
    audio_duration_seconds: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="Length of the audio, where the publisher knows it. Used for the metric of the backlog only.",
    )
    options: TranscribeOptions = TranscribeOptions()
    enrich: EnrichOptions | None = None
    lane: Lane = Lane.BULK
    tenant: str = Field(default="default", max_length=128, description="The tenant that the job belongs to.")
    metadata: dict[str, str] = Field(default_factory=dict, description="Echoed in every event of the job.")
    webhook_url: WebhookUrl | None = Field(
        default=None,
        description="Where the final events of this reference are sent; without it, where the settings say.",
        examples=["https://hooks.example/kascribe"],
    )

    def correlation(self) -> dict[str, Any]:
        """Return the fields that all events of the job repeat. Only for a reference with an idempotency key."""
        return {
            "job_id": identity.job_id(self.idempotency_key or ""),
            "idempotency_key": self.idempotency_key,
            "reference_event_id": self.event_id,
            "tenant": self.tenant,
            "lane": self.lane,
            "metadata": self.metadata,
            "webhook_url": self.webhook_url,
        }


class JobEvent(Event):
    """Base of the events about a job. Its fields are the correlation: all events of a job carry them."""

    job_id: str
    idempotency_key: str | None = Field(
        default=None, description="The key from which the job_id is derived: the caller's own, or a generated one."
    )
    reference_event_id: str | None = Field(
        default=None,
        description="The event_id of the reference that this event answers; a generated one for a dropped object, "
        "and for a request to enrich a finished transcript.",
    )
    tenant: str = "default"
    lane: Lane = Lane.BULK
    metadata: dict[str, str] = Field(default_factory=dict, description="The caller's, as the reference has it.")
    webhook_url: str | None = Field(default=None, description="As the reference has it: see there.")

    def correlation(self) -> dict[str, Any]:
        """Return the fields that every further event of the job repeats."""
        return {name: getattr(self, name) for name in JobEvent.model_fields if name not in Event.model_fields}


class TranscriptEvent(JobEvent):
    """``audio.transcripts``: the job is done; the whole transcript is at ``transcript_uri``."""

    ce_type = "kascribe.audio.transcript.v1"

    idempotency_key: str = Field(
        description="The key from which the job_id is derived: the caller's own, or a generated one."
    )
    reference_occurred_at: Moment | None = Field(default=None, description="When that reference was made.")
    shared: bool = Field(
        default=False,
        description="Other references requested the job while it ran: cancelling one does not end its enrichment.",
    )
    status: TranscriptStatus
    source: SourceObject
    source_changed: bool = Field(
        default=False, description="The object was overwritten after the event; the current version was used."
    )
    reused: bool = Field(default=False, description="The result of an earlier job with the same audio.")
    language: str | None = None
    language_probability: float | None = None
    all_language_probs: tuple[LanguageGuess, ...] = ()
    audio_duration_seconds: float
    speech_duration_seconds: float
    text: str | None = Field(default=None, description="None when longer than 65,536 bytes: see transcript_uri.")
    segment_count: int
    flags: tuple[QualityFlag, ...] = ()
    transcript_uri: str
    exports: dict[ExportFormat, str] = Field(default_factory=dict, description="Format to URI.")
    enrich: EnrichOptions | None = None
    provenance: Provenance
    timing: StageTiming
    usage: Usage


class CancellationEvent(Event):
    """``audio.cancellations``: request to cancel a job, so that its worker may stop.

    Name the job by ``job_id``, by ``idempotency_key``, by ``reference_event_ids``, or by a job and some of its
    references. An ``occurred_at`` in the future counts as the moment of arrival.
    """

    ce_type = "kascribe.audio.cancellation.v1"

    job_id: str | None = None
    idempotency_key: str | None = Field(default=None, description="The caller's key, instead of the job_id.")
    reference_event_ids: tuple[str, ...] = Field(
        default=(),
        description="The references that are cancelled; empty: all of the job that came before this event.",
    )

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The jobs that the event names; empty when it names only references."""
        named = (self.job_id, self.idempotency_key and identity.job_id(self.idempotency_key))
        return tuple(job for job in named if job)


class Phase(StrEnum):
    """The phase of a job."""

    ACCEPTED = "accepted"
    FETCHING = "fetching"
    DECODING = "decoding"
    TRANSCRIBING = "transcribing"
    ENRICHING = "enriching"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL_PHASES: Final = frozenset({Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED})
"""Phases after which the stage publishes no further event."""


class Failure(Contract):
    """Why a job failed, for machines and for people."""

    reason: Reason = Field(description="One word of docs/reasons.md.")
    message: str = Field(description="What went wrong.")
    attempt: int = Field(description="Counts from 1.")
    dead_letter_topic: str | None = Field(default=None, description="The topic that has the record now.")


class ProgressEvent(JobEvent):
    """``audio.progress``: best effort while a job runs. For each reference and stage exactly one event is
    reliable: COMPLETED, FAILED or CANCELLED."""

    ce_type = "kascribe.audio.progress.v1"

    phase: Phase
    stage: str = Field(description="The consumer that reports it: transcriber or enricher.")
    fraction: float | None = Field(default=None, ge=0, le=1, description="Share of the audio that is processed.")
    text: str | None = Field(default=None, description="Text since the last progress event.")
    text_offset: int | None = Field(
        default=None, ge=0, description="Characters of the transcript before this text; None: not known yet."
    )
    failure: Failure | None = None
    result_uri: str | None = Field(default=None, description="With COMPLETED: where transcript or enrichment is.")


class EnrichmentStatus(StrEnum):
    """How one profile ended. ``skipped``: the transcript has no text."""

    COMPLETED = "completed"
    INVALID = "invalid"
    SKIPPED = "skipped"


class EnrichmentResult(Contract):
    """The result of one profile, or of the free instruction."""

    profile: str = Field(description="The profile's name; ``instruction`` for a free instruction.")
    profile_version: str = Field(description="The version of the profile.")
    status: EnrichmentStatus = Field(description="How the profile ended.")
    output: dict[str, Any] | str | None = Field(
        default=None, description="A value of the profile's JSON schema, or text."
    )
    citations: tuple[int, ...] = Field(default=(), description="Ids of the segments that support the output.")
    coverage: float = Field(ge=0, le=1, description="Share of the segments that the model has read.")
    cited: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of the segments that the output cites; None where it has no citations.",
    )
    flags: tuple[AnswerFlag, ...] = Field(default=(), description="Reasons to review the output.")
    truncated: bool = Field(default=False, description="The answer, or notes for it, may be incomplete.")
    finish_reasons: tuple[str, ...] = Field(
        default=(),
        description="Finish reasons of the answers used for this, other than ``stop``: ``length`` at the token "
        "limit, or another word of the server.",
    )
    doubts: tuple[Doubt, ...] = Field(
        default=(),
        description="Statements that the transcript does not bear out, 64 at most; 4 in an event too large for "
        "its outputs.",
    )
    failure: Failure | None = Field(default=None, description="Why there is no output.")
    usage: TokenUsage = Field(default=TokenUsage(), description="Tokens and requests for this result.")
    seconds: float = Field(default=0.0, description="Time that the result took.")


class EnrichmentEvent(JobEvent):
    """``audio.enrichments``: the language model's results for a transcript."""

    ce_type = "kascribe.audio.enrichment.v1"

    transcript_uri: str
    language: str | None = None
    model: str
    results: tuple[EnrichmentResult, ...] = Field(description="Inline when small; else see results_uri.")
    results_uri: str
    usage: TokenUsage
    total_seconds: float
