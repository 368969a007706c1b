"""The bodies of answers from the archive."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from producers.archive.answers import JobSummary, SearchResult, UsageRow
from producers.archive.filters import UsageKey
from producers.gateway.documentation.archive_examples import JOBS, SEARCH, USAGE

_NEXT = "The cursor of the next page; null at the end. A page may be shorter than its limit and have a next one."


class Listed(BaseModel):
    """Base of the answers."""

    success: Literal[True] = Field(default=True, description="Always true.")


class JobsAnswer(Listed):
    """A page of jobs, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [JOBS]})

    jobs: list[JobSummary] = Field(description="The jobs.")
    next: str | None = Field(description=_NEXT)


class SearchAnswer(Listed):
    """A page of recordings in which the words occur, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [SEARCH]})

    query: str = Field(description="The words, as they were asked for.")
    results: list[SearchResult] = Field(description="The recordings.")
    next: str | None = Field(description=_NEXT)


class UsageAnswer(Listed):
    """Sums of what was done."""

    model_config = ConfigDict(json_schema_extra={"examples": [USAGE]})

    by: UsageKey = Field(description="What is summed up.")
    rows: list[UsageRow] = Field(
        description="Days, newest first; tenants and models with the most audio first. 1,000 at most."
    )
