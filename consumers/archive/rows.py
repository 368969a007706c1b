"""Statements that write rows of the archive, the same for SQLite and PostgreSQL but for the search index."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from consumers.archive.changes import Enriched, Transcribed
from consumers.archive.columns import name_of, storable
from schemas.archive.numbers import job_number
from schemas.archive.search_terms import index_terms, language_term, tenant_term
from schemas.archive.tables import DELETIONS, ENRICHMENTS, JOBS, SEGMENTS

POSTGRESQL: Final = "postgresql"

TERMS_LIMIT_BYTES: Final = 1_000_000
"""Of the different terms of one recording: PostgreSQL's tsvector holds a megabyte, more than a day of speech."""

_LOCK_JOBS: Final = text(
    "SELECT pg_advisory_xact_lock(key) FROM (SELECT unnest(CAST(:keys AS bigint[])) AS key ORDER BY 1) AS keys"
)
"""Also of jobs that are not stored yet; in one order, so that two transactions never wait for each other."""

_PUT_POSTGRESQL: Final = text(
    "INSERT INTO search (job_number, terms, words) "
    "VALUES (:number, array_to_tsvector(CAST(:distinct AS text[])), :words)"
)
_PUT_SQLITE: Final = text("INSERT INTO search (rowid, terms) VALUES (:number, :terms)")
_DELETE_POSTGRESQL: Final = text("DELETE FROM search WHERE job_number = :of_job")
_DELETE_SQLITE: Final = text("DELETE FROM search WHERE rowid = :of_job")
_OF_JOB: Final[BindParameter[int]] = bindparam("of_job")
_DELETE_SEGMENTS: Final = delete(SEGMENTS).where(SEGMENTS.c.job_number == _OF_JOB)
_DELETE_ENRICHMENTS: Final = delete(ENRICHMENTS).where(ENRICHMENTS.c.job_number == _OF_JOB)
_DELETE_ENRICHMENT: Final = _DELETE_ENRICHMENTS.where(ENRICHMENTS.c.enrichment_id == bindparam("enrichment"))
_DELETE_JOB: Final = delete(JOBS).where(JOBS.c.number == _OF_JOB)
_UPDATE_JOB: Final = update(JOBS).where(JOBS.c.number == _OF_JOB)
_COUNT: Final = _UPDATE_JOB.values(
    enrichment_count=select(func.count())
    .select_from(ENRICHMENTS)
    .where(ENRICHMENTS.c.job_number == JOBS.c.number)
    .scalar_subquery()
)

Row = dict[str, Any]


def jobs_for_update(connection: Connection, job_ids: Sequence[str]) -> dict[str, Any]:
    """Return number and standing of the jobs that are stored, by job id; no other transaction changes them."""
    if connection.dialect.name == POSTGRESQL:  # SQLite has one writer
        connection.execute(_LOCK_JOBS, {"keys": sorted(map(_lock_of, job_ids))})
    found = select(JOBS.c.job_id, JOBS.c.number, JOBS.c.standing).where(JOBS.c.job_id.in_(job_ids))
    return {row.job_id: row for row in connection.execute(found)}


def deletions_of(connection: Connection, job_ids: Sequence[str]) -> dict[str, int]:
    """Return when jobs were deleted, by job id."""
    found = select(DELETIONS.c.job_id, DELETIONS.c.deleted_at_ms).where(DELETIONS.c.job_id.in_(job_ids))
    return {row.job_id: row.deleted_at_ms for row in connection.execute(found)}


def note_deletion(connection: Connection, job_id: str, tenant: str, deleted_at_ms: int) -> None:
    """Store that a job was deleted, unless a later deletion is stored."""
    dialect = postgresql if connection.dialect.name == POSTGRESQL else sqlite
    row = {"job_id": job_id, "tenant": storable(tenant), "deleted_at_ms": deleted_at_ms}
    statement = dialect.insert(DELETIONS).values(row)
    changed = {"tenant": statement.excluded.tenant, "deleted_at_ms": statement.excluded.deleted_at_ms}
    later = DELETIONS.c.deleted_at_ms < statement.excluded.deleted_at_ms
    connection.execute(statement.on_conflict_do_update(index_elements=["job_id"], set_=changed, where=later))


@dataclass
class PendingRows:
    """Rows that a batch writes, by table, so that each table is written once for all jobs."""

    jobs: list[Row] = field(default_factory=list)
    changed_jobs: list[Row] = field(default_factory=list)
    gone_jobs: list[Row] = field(default_factory=list)
    gone_recordings: list[Row] = field(default_factory=list)
    gone_enrichments: list[Row] = field(default_factory=list)
    segments: list[Row] = field(default_factory=list)
    search: list[Row] = field(default_factory=list)
    enrichments: list[Row] = field(default_factory=list)
    counted: list[Row] = field(default_factory=list)

    def delete_job(self, number: int) -> None:
        """Delete a job with everything that is stored of it."""
        self.gone_recordings.append({"of_job": number})
        self.gone_jobs.append({"of_job": number})

    def put_recording(self, number: int, change: Transcribed) -> None:
        """Store segments and search terms of a job that has none."""
        self.segments += [
            {
                "job_number": number,
                "position": position,
                "start_seconds": segment.start,
                "end_seconds": segment.end,
                "text": storable(segment.text),
                "channel": segment.channel,
                "language": segment.language,
            }
            for position, segment in enumerate(change.segments)
        ]
        self.search.append({"number": number, "terms": " ".join(_terms(change))})

    def put_enrichment(self, number: int, change: Enriched) -> None:
        """Replace one enrichment of a job, all its profiles."""
        self.delete_enrichment(number, change.enrichment_id)
        by_profile = {result.profile: result for result in change.results}
        self.enrichments += [
            {
                "job_number": number,
                "enrichment_id": change.enrichment_id,
                "profile": profile,
                "status": storable(result.status),
                "output": storable(result.output),
                "occurred_at_ms": change.at_ms,
                "model": storable(change.model),
                "flags": list(result.flags),
            }
            for profile, result in by_profile.items()
        ]

    def delete_enrichment(self, number: int, enrichment_id: str) -> None:
        """Delete one enrichment of a job."""
        self.gone_enrichments.append({"of_job": number, "enrichment": enrichment_id})
        self.counted.append({"of_job": number})

    def write(self, connection: Connection) -> None:
        """Write all of it: what is gone first. Raises what the database raises."""
        is_postgresql = connection.dialect.name == POSTGRESQL
        search = self.search if not is_postgresql else list(map(_in_postgresql, self.search))
        for statement, found in (
            (_DELETE_SEGMENTS, self.gone_recordings),
            (_DELETE_POSTGRESQL if is_postgresql else _DELETE_SQLITE, self.gone_recordings),
            (_DELETE_ENRICHMENTS, self.gone_jobs),
            (_DELETE_JOB, self.gone_jobs),
            (_DELETE_ENRICHMENT, self.gone_enrichments),
            (insert(JOBS), self.jobs),
            (_UPDATE_JOB, self.changed_jobs),
            (insert(SEGMENTS), self.segments),
            (_PUT_POSTGRESQL if is_postgresql else _PUT_SQLITE, search),
            (insert(ENRICHMENTS), self.enrichments),
            (_COUNT, self.counted),
        ):
            if found:
                connection.execute(statement, found)


def free_numbers(connection: Connection, created: Mapping[str, int]) -> dict[str, int]:
    """Return a number for each new job, by job id: the next free one from its time on."""
    wanted = {job_id: job_number(at_ms, job_id) for job_id, at_ms in created.items()}
    taken = set(connection.scalars(select(JOBS.c.number).where(JOBS.c.number.in_(list(wanted.values())))))
    numbers = {}
    for job_id, first in wanted.items():
        number = first
        while number in taken or (number > first and _is_taken(connection, number)):
            number += 1
        numbers[job_id] = number
        taken.add(number)
    return numbers


def _is_taken(connection: Connection, number: int) -> bool:
    return connection.scalar(select(JOBS.c.number).where(JOBS.c.number == number)) is not None


def _lock_of(job_id: str) -> int:
    return int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:8], "big", signed=True)


def _terms(change: Transcribed) -> Iterable[str]:
    """Yield the terms of a recording: those of its tenant and language, then name, text and metadata."""
    done = change.transcription
    yield tenant_term(done.caller.tenant)
    yield from (
        language_term(language) for language in dict.fromkeys((done.language, *done.languages)) if language
    )
    texts = (name_of(done.uri), *(segment.text for segment in change.segments), *done.caller.metadata.values())
    yield from filter(None, map(index_terms, texts))


def _in_postgresql(row: Row) -> Row:
    terms: str = row["terms"]
    return {"number": row["number"], "distinct": _limited(dict.fromkeys(terms.split())), "words": f" {terms} "}


def _limited(terms: Iterable[str]) -> list[str]:
    kept: list[str] = []
    size_bytes = 0
    for term in terms:
        size_bytes += len(term.encode()) + 1
        if size_bytes > TERMS_LIMIT_BYTES:
            break
        kept.append(term)
    return kept
