"""The parameters of the archive's routes. An unknown one is refused: a misspelt filter would show other jobs."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from producers.archive.cursors import CURSOR_CHARACTERS
from producers.archive.filters import JobFilter, SearchFilter, UsageKey, milliseconds_of
from producers.gateway.access.caller import Caller
from schemas.events import Phase
from schemas.identity import JOB_ID_CHARACTERS
from schemas.moments import Moment
from schemas.transcripts.transcript import TranscriptStatus

DEFAULT_LIMIT: Final = 20
LARGEST_LIMIT: Final = 100
TEXT_CHARACTERS: Final = 256
"""Of a filter, and of the words of a search: each of them is a part of the database's question."""

TENANT_CHARACTERS: Final = 128

Absent = SkipJsonSchema[None]
"""A parameter may be absent, and is never null."""


class Asked(BaseModel):
    """What all of the routes take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str | Absent = Field(
        default=None,
        max_length=TENANT_CHARACTERS,
        description="Only this tenant. With API keys, the key's tenant is the only one.",
    )
    begin: Moment | Absent = Field(
        default=None,
        alias="from",
        description="Only jobs that began then or later.",
        examples=["2026-11-01T00:00:00Z"],
    )
    end: Moment | Absent = Field(
        default=None, alias="to", description="Only jobs that began earlier.", examples=["2026-12-01T00:00:00Z"]
    )

    def tenant_for(self, caller: Caller) -> str | None:
        """Return the tenant of the jobs that the caller gets; None is every tenant, where no keys are in use.

        Raises RequestRefused when the caller's key belongs to another tenant than the request names.
        """
        return caller.tenant_of(self.tenant or "") if self.tenant or caller.tenant is not None else None

    @property
    def from_ms(self) -> int | None:
        """The first moment, as the archive has it."""
        return None if self.begin is None else milliseconds_of(self.begin)

    @property
    def to_ms(self) -> int | None:
        """The first moment that is too late, as the archive has it."""
        return None if self.end is None else milliseconds_of(self.end)


class Paged(Asked):
    """What lists take."""

    language: str | Absent = Field(
        default=None, max_length=16, description="Only transcripts in this language.", examples=["ko"]
    )
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=LARGEST_LIMIT, description="Rows of a page.")
    cursor: str | Absent = Field(
        default=None,
        min_length=CURSOR_CHARACTERS,
        max_length=CURSOR_CHARACTERS,
        description="`next` of the page before, with the same parameters.",
    )


class JobsAsked(Paged):
    """What ``GET /v1/jobs`` takes."""

    phase: Phase | Absent = Field(default=None, description="Only jobs in this phase.")
    status: TranscriptStatus | Absent = Field(default=None, description="Only transcripts of this status.")
    model: str | Absent = Field(
        default=None, max_length=TEXT_CHARACTERS, description="Only transcripts of this model."
    )
    name: str | Absent = Field(
        default=None, max_length=TEXT_CHARACTERS, description="Only files with this in their name."
    )

    def filter_for(self, caller: Caller) -> JobFilter:
        """Return which jobs the caller asks for. Raises RequestRefused as ``tenant_for`` does."""
        return JobFilter(
            tenant=self.tenant_for(caller),
            phase=self.phase,
            status=self.status,
            language=self.language,
            model=self.model,
            name=self.name,
            from_ms=self.from_ms,
            to_ms=self.to_ms,
        )


class SearchAsked(Paged):
    """What ``GET /v1/search`` takes."""

    q: str = Field(
        min_length=1,
        max_length=TEXT_CHARACTERS,
        description='Words, and "phrases" between quotes. All must occur in a recording: in its text, its name or '
        "its metadata. Letters count as equal whatever their case and width; Korean, Chinese and Japanese words "
        "are found inside longer ones.",
        examples=["budget", '"third quarter"', "회의"],
    )
    job: str | Absent = Field(
        default=None,
        min_length=JOB_ID_CHARACTERS,
        max_length=JOB_ID_CHARACTERS,
        description="Only this job, with all of its hits.",
    )

    def filter_for(self, caller: Caller) -> SearchFilter:
        """Return which recordings the caller asks for. Raises RequestRefused as ``tenant_for`` does."""
        return SearchFilter(
            tenant=self.tenant_for(caller),
            words=self.q,
            language=self.language,
            from_ms=self.from_ms,
            to_ms=self.to_ms,
            job_id=self.job,
        )


class UsageAsked(Asked):
    """What ``GET /v1/usage`` takes."""

    by: UsageKey = Field(default=UsageKey.DAY, description="What is summed up.")

    def filter_for(self, caller: Caller) -> JobFilter:
        """Return which jobs the caller asks for. Raises RequestRefused as ``tenant_for`` does."""
        return JobFilter(tenant=self.tenant_for(caller), from_ms=self.from_ms, to_ms=self.to_ms)
