"""What is read from the archive, as the gateway and the commands show it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, Field

from producers.archive.filters import moment_at
from schemas.events import Phase
from schemas.kafka.reasons import remedy_of
from schemas.transcripts.transcript import TranscriptStatus

Row = Mapping[Any, Any]

_UNCHANGED: Final = (
    *("job_id", "name", "tenant", "phase", "stage", "fraction", "status", "language", "model", "reused"),
    *("audio_duration_seconds", "flags", "text_preview", "enrichment_count", "metadata"),
)


class ArchivedFailure(BaseModel):
    """Why a job failed, and what helps."""

    reason: str = Field(description="One word of docs/reasons.md.")
    message: str = Field(description="What went wrong.")
    remedy: str | None = Field(description="What to do about it; null for a reason of a later release.")


class JobSummary(BaseModel):
    """One job, as lists show it."""

    job_id: str = Field(description="The job; `/v1/jobs/{job_id}` has all of it.")
    name: str = Field(description="The file's name.")
    tenant: str = Field(description="The tenant that the job belongs to.")
    phase: Phase = Field(description="How far the job is; completed, failed and cancelled are final.")
    stage: str = Field(description="The stage that the phase belongs to: transcriber or enricher.")
    fraction: float | None = Field(description="Share of the audio that is processed; null where it is not known.")
    status: TranscriptStatus | None = Field(description="Of the transcript; null as long as there is none.")
    language: str | None = Field(description="Of the transcript, or as requested.")
    model: str | None = Field(description="The model that made the transcript.")
    created_at: datetime = Field(description="When the archive's first event of the job happened.")
    updated_at: datetime = Field(description="When the job came to stand as it does.")
    finished_at: datetime | None = Field(description="When the job ended.")
    audio_duration_seconds: float | None = Field(description="Length of the recording.")
    flags: list[str] = Field(description="Reasons to review the transcript.")
    failure: ArchivedFailure | None = Field(description="Why the job failed; null where it did not.")
    text_preview: str | None = Field(description="How the transcript begins.")
    enrichment_count: int = Field(description="Finished enrichments.")
    reused: bool = Field(description="Whether the transcript is that of an earlier job with the same audio.")
    metadata: dict[str, str] = Field(description="The caller's own pairs.")

    @classmethod
    def of(cls, row: Row) -> Self:
        """Return the summary of a row."""
        finished_at_ms = row["finished_at_ms"]
        return cls(
            created_at=moment_at(row["created_at_ms"]),
            updated_at=moment_at(row["updated_at_ms"]),
            finished_at=None if finished_at_ms is None else moment_at(finished_at_ms),
            failure=_failure_of(row),
            **{name: row[name] for name in _UNCHANGED},
        )


class SearchHit(BaseModel):
    """A segment in which words of the query are said."""

    segment: int = Field(description="The segment's id in the transcript.")
    start: float = Field(description="Seconds from the start of the audio.")
    end: float = Field(description="Seconds from the start of the audio.")
    text: str = Field(description="What is said.")
    highlights: list[Annotated[list[int], Field(min_length=2, max_length=2)]] = Field(
        description="Where the words stand in the text: first character and the one after the last, counted in "
        "Unicode code points."
    )
    channel: int | None = Field(description="The channel, counted from 0; null for mixed audio.")
    url: str = Field(description="The page of the job at this moment, below the gateway's address.")


class SearchResult(BaseModel):
    """A recording in which the words occur."""

    job: JobSummary = Field(description="The job.")
    hits: list[SearchHit] = Field(
        description="In order of time. Empty where the words are in the name or the metadata, or lie apart."
    )
    hit_count: int = Field(
        description="Segments with words of the query; counted up to 100, and with `job` up to 500."
    )


class UsageRow(BaseModel):
    """Work that was done for one tenant, on one day or by one model."""

    key: str | None = Field(description="The tenant, the day in UTC, or the model; null: jobs without a model.")
    jobs: int = Field(description="Jobs.")
    failed: int = Field(description="Those of them that failed.")
    audio_seconds: float = Field(description="Length of their recordings.")
    speech_seconds: float = Field(description="Speech in them.")
    processing_seconds: float = Field(description="Time that their transcription took.")


class JobPage(BaseModel):
    """Some jobs, newest first, and the cursor of those that follow; None at the end."""

    jobs: list[JobSummary]
    next: str | None


class SearchPage(BaseModel):
    """Some recordings, newest first, and the cursor of those that follow; None at the end."""

    results: list[SearchResult]
    next: str | None


def _failure_of(row: Row) -> ArchivedFailure | None:
    reason = row["failure_reason"]
    if reason is None:
        return None
    return ArchivedFailure(reason=reason, message=row["failure_message"] or "", remedy=remedy_of(reason))
