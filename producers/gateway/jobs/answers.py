"""The bodies of answers about jobs."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from producers.gateway.documentation.examples import ACCEPTED, CANCELLED, DELETED, ENRICHING, ENRICHMENTS
from producers.gateway.jobs.source_removal import SourceRemoval
from producers.result_removal import RemovedJob, TranscriptRemoval
from schemas.events import EnrichmentResult
from schemas.options import EnrichOptions
from schemas.results import StoredEnrichment
from schemas.transcripts.transcript import TokenUsage


class Answer(BaseModel):
    """Base of the answers."""

    success: Literal[True] = Field(default=True, description="Always true.")
    job_id: str = Field(description="The job.", examples=["5f2b8c3d9a7e4f10b6c1d2e3f4a5b6c7"])


class JobAcceptedAnswer(Answer):
    """The job is accepted: it is stored, and the broker has its reference."""

    model_config = ConfigDict(json_schema_extra={"examples": [ACCEPTED]})

    idempotency_key: str = Field(
        description="The key from which the job_id is derived: the same request with it is the same job."
    )
    status_url: str = Field(description="How the job stands: GET it, or DELETE it to cancel and delete the job.")
    events_url: str = Field(description="The job's progress as server-sent events.")
    transcript_url: str = Field(description="The transcript, once the job is transcribed.")
    enrichments_url: str = Field(description="The finished enrichments.")


class EnrichmentAcceptedAnswer(Answer):
    """The enrichment is requested, or there is one with the same options already."""

    model_config = ConfigDict(json_schema_extra={"examples": [ENRICHING]})

    enrichment_id: str = Field(description="The enrichment among those of the job; equal options have the same.")
    is_finished: bool = Field(description="Whether it was finished before: then nothing was requested.")
    enrichments_url: str = Field(description="The finished enrichments.")
    events_url: str = Field(description="The job's progress as server-sent events.")


class EnrichmentAnswer(BaseModel):
    """One finished enrichment, whole."""

    enrichment_id: str = Field(description="Equal options have the same id.")
    options: EnrichOptions | None = Field(description="What was requested; null for those of older releases.")
    finished_at: datetime = Field(description="When it was finished.")
    model: str = Field(description="The language model.")
    language: str | None = Field(description="The language of the answers.")
    results: list[EnrichmentResult] = Field(description="One for each profile, and for the instruction.")
    usage: TokenUsage = Field(description="Tokens and requests of all results.")
    total_seconds: float = Field(description="Time that the enrichment took.")

    @classmethod
    def of(cls, stored: StoredEnrichment) -> Self:
        """Return the answer for a stored enrichment."""
        event = stored.event
        return cls(
            enrichment_id=stored.enrich_digest,
            options=stored.options,
            finished_at=event.occurred_at,
            model=event.model,
            language=event.language,
            results=list(event.results),
            usage=event.usage,
            total_seconds=event.total_seconds,
        )


class EnrichmentsAnswer(Answer):
    """The finished enrichments of a job, one for each set of options, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [ENRICHMENTS]})

    enrichments: list[EnrichmentAnswer] = Field(description="Empty when none is finished.")


class JobCancelledAnswer(Answer):
    """The job's cancellation is published. Its state becomes ``cancelled`` once its worker has stopped."""

    model_config = ConfigDict(json_schema_extra={"examples": [CANCELLED]})

    status_url: str = Field(description="How the job stands.")


class JobDeletedAnswer(Answer):
    """What was stored for the job is deleted, as far as no other job uses it."""

    model_config = ConfigDict(json_schema_extra={"examples": [DELETED]})

    transcript: TranscriptRemoval = Field(
        description="What became of the transcript. shared: it stays, for another job with the same audio and "
        "options. users_unknown: it stays, since an earlier release stored it without the jobs that use it. "
        "absent: there was none."
    )
    upload: bool = Field(description="Whether the uploaded file was deleted.")
    source: SourceRemoval = Field(
        description="What became of the object that was dropped into a bucket, or named by s3://. kept: without "
        "`source=true` it stays. uploaded: the job was made of an upload. absent: it was deleted before. It stays "
        "as well when it was overwritten since (changed), is outside of the deployment's buckets (not_allowed) or "
        "may not be deleted there (forbidden), and when nothing stored says which object it was (unknown)."
    )
    other_objects: int = Field(description="Deleted exports, enrichments, rewritten transcripts and failures.")

    @classmethod
    def of(cls, job_id: str, removed: RemovedJob, source: SourceRemoval) -> Self:
        """Return the answer for a removed job and the object that it was made of."""
        return cls(
            job_id=job_id,
            transcript=removed.transcript,
            upload=removed.upload,
            source=source,
            other_objects=removed.other_objects,
        )


def job_url(job_id: str, rest: str = "") -> str:
    """Return the path of a job's resource."""
    return f"/v1/jobs/{job_id}{rest}"
