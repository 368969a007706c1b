"""Where the words of a query are said: segments, and characters in them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping

from producers.archive import statements
from producers.archive.answers import SearchHit
from schemas.archive.search_terms import Phrase, SearchQuery, find_in, index_terms


@dataclass(slots=True)
class Hits:
    """The hits of one job: the first of them, and how many there are as far as they are counted."""

    hits: list[SearchHit] = field(default_factory=list)
    count: int = 0


@dataclass(frozen=True, slots=True)
class HitLimits:
    """How many hits are returned and counted, and how many segments are read for them, of each job."""

    shown: int
    counted: int
    segments: int


FEW = HitLimits(shown=3, counted=100, segments=5_000)
"""Of each job in a list."""

ALL = HitLimits(shown=500, counted=500, segments=50_000)
"""Of one job."""


class HitReader:
    """Reads hits of jobs on one connection. Blocks; raises SQLAlchemy's errors."""

    def __init__(self, connection: Connection, query: SearchQuery, limits: HitLimits) -> None:
        self._connection = connection
        self._query = query
        self._limits = limits
        # The database's own comparison misses letters of other widths: where it finds none, all are compared here.
        self._statements = [
            statements.segments_with(query, limit=limits.segments, is_filtered=is_filtered)
            for is_filtered in (True, False)
        ]

    def hits_of(self, row: RowMapping) -> Hits:
        """Return the hits of the job of a row, in order of time."""
        for statement in self._statements:
            segments = self._connection.execute(statement, {"number": row["number"]}).mappings()
            found = _located(segments, row["job_id"], self._query, self._limits)
            if found.count:
                return found
        return Hits()


def _located(segments: Iterable[Any], job_id: str, query: SearchQuery, limits: HitLimits) -> Hits:
    found = Hits()
    for segment in segments:
        if found.count >= limits.counted:
            break
        if not _has(segment["text"], query):
            continue
        found.count += 1
        if len(found.hits) < limits.shown:
            found.hits.append(_hit(segment, job_id, query))
    return found


def _has(text: str, query: SearchQuery) -> bool:
    """Return whether a text has a phrase of a query; faster than finding where."""
    terms = f" {index_terms(text)} "
    return any(_written(phrase) in terms for phrase in query.phrases)


def _written(phrase: Phrase) -> str:
    return f" {' '.join(phrase.terms)}{'' if phrase.open else ' '}"


def _hit(segment: Any, job_id: str, query: SearchQuery) -> SearchHit:
    start = segment["start_seconds"]
    return SearchHit(
        segment=segment["position"],
        start=start,
        end=segment["end_seconds"],
        text=segment["text"],
        highlights=[[first, after] for first, after in find_in(segment["text"], query)],
        channel=segment["channel"],
        url=f"/#/jobs/{job_id}?t={start:g}",
    )
