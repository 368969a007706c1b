"""The statements that read the archive, for SQLite and PostgreSQL alike. Every one of them names the tenant."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from producers.archive.cursors import Place
from producers.archive.filters import JobFilter, SearchFilter, UsageKey
from schemas.archive.numbers import first_number
from schemas.archive.search_terms import SearchQuery, language_term, tenant_term
from schemas.archive.tables import JOBS, SEARCH_POSTGRESQL, SEARCH_SQLITE, SEGMENTS
from schemas.events import Phase

DAY_MS: Final = 86_400_000
USAGE_ROWS: Final = 1_000
"""Days: of almost three years. Of more tenants or models, those with the most audio."""

PREFILTER_TERMS: Final = 8
"""Terms of a phrase that the database looks for in segments; further ones are compared here."""

_SUMMARY: Final = tuple(
    JOBS.c[name]
    for name in (
        *("number", "job_id", "tenant", "name", "phase", "stage", "fraction", "status", "language", "model"),
        *("created_at_ms", "finished_at_ms", "updated_at_ms", "audio_duration_seconds", "flags", "metadata"),
        *("failure_reason", "failure_message", "text_preview", "enrichment_count", "reused"),
    )
)


def jobs_page(asked: JobFilter, *, after: Place | None, limit: int) -> Select[Any]:
    """Return the statement of jobs, newest first."""
    conditions = list(_conditions(asked))
    if after is not None:
        conditions.append(tuple_(JOBS.c.created_at_ms, JOBS.c.number) < (after.created_at_ms, after.number))
    newest = (JOBS.c.created_at_ms.desc(), JOBS.c.number.desc())
    return select(*_SUMMARY).where(*conditions).order_by(*newest).limit(limit)


def jobs_of(numbers: Sequence[int], *, tenant: str | None) -> Select[Any]:
    """Return the statement of the jobs with these numbers, newest first."""
    mine = _of_tenant(tenant)
    return select(*_SUMMARY).where(JOBS.c.number.in_(numbers), *mine).order_by(JOBS.c.number.desc())


def number_of(job_id: str, *, tenant: str | None) -> Select[Any]:
    """Return the statement of one job's number."""
    return select(JOBS.c.number).where(JOBS.c.job_id == job_id, *_of_tenant(tenant))


def recordings_in_sqlite(
    asked: SearchFilter, query: SearchQuery, *, number: int | None, after: Place | None, limit: int
) -> Select[Any]:
    """Return the statement of the numbers of recordings with these words, newest first; ``number``: of one job."""
    numbers = SEARCH_SQLITE.c.rowid
    expression = query.match_expression(*_required(asked))
    found = literal_column("search").op("MATCH")(expression)
    within = _within(numbers, asked, number=number, after=after)
    return select(numbers).where(found, *within).order_by(numbers.desc()).limit(limit)


def recordings_in_postgresql(
    asked: SearchFilter, query: SearchQuery, *, number: int | None, after: Place | None, limit: int
) -> Select[Any]:
    """Return the same statement for PostgreSQL."""
    numbers, table = SEARCH_POSTGRESQL.c.job_number, SEARCH_POSTGRESQL
    found = table.c.terms.op("@@")(cast(query.tsquery(*_required(asked)), TSQUERY))
    phrases = [table.c.words.like(pattern) for pattern in query.patterns()]
    within = _within(numbers, asked, number=number, after=after)
    return select(numbers).where(found, *phrases, *within).order_by(numbers.desc()).limit(limit)


def segments_with(query: SearchQuery, *, limit: int, is_filtered: bool) -> Select[Any]:
    """Return the statement of segments of the job ``:number``, in order of time: those in which a phrase may be.

    All of them, unless ``is_filtered``, and where the database does not compare the letters as we do.
    """
    is_filtered = is_filtered and all(_is_plain(phrase.terms) for phrase in query.phrases)
    conditions = [or_(*(and_(*_contains(phrase.terms)) for phrase in query.phrases))] if is_filtered else []
    of_job = SEGMENTS.c.job_number == bindparam("number")
    return select(SEGMENTS).where(of_job, *conditions).order_by(SEGMENTS.c.position).limit(limit)


def usage_by(key: UsageKey, asked: JobFilter) -> Select[Any]:
    """Return the statement of sums: days newest first, tenants and models with the most audio first."""
    audio = func.coalesce(func.sum(JOBS.c.audio_duration_seconds), 0.0)
    grouped: ColumnElement[Any] = {
        UsageKey.TENANT: JOBS.c.tenant,
        UsageKey.DAY: (JOBS.c.created_at_ms - JOBS.c.created_at_ms % DAY_MS),
        UsageKey.MODEL: JOBS.c.model,
    }[key].label("key")
    order = (grouped.desc(),) if key is UsageKey.DAY else (audio.desc(), grouped)
    return (
        select(
            grouped,
            func.count().label("jobs"),
            func.sum(case((JOBS.c.phase == Phase.FAILED.value, 1), else_=0)).label("failed"),
            audio.label("audio_seconds"),
            func.coalesce(func.sum(JOBS.c.speech_duration_seconds), 0.0).label("speech_seconds"),
            func.coalesce(func.sum(JOBS.c.processing_seconds), 0.0).label("processing_seconds"),
        )
        .where(*_conditions(asked))
        .group_by(literal_column("key") if key is UsageKey.DAY else grouped)
        .order_by(*order)
        .limit(USAGE_ROWS)
    )


def _conditions(asked: JobFilter) -> Iterator[ColumnElement[bool]]:
    if not asked.is_possible:
        yield false()
        return
    if asked.tenant is not None:
        # The indexes of phases and languages end with the tenant; SQLite would read all of the tenant's jobs.
        has_better = asked.phase is not None or asked.language is not None
        yield (JOBS.c.tenant.concat("") if has_better else JOBS.c.tenant) == asked.tenant
    for name in ("phase", "status", "language", "model"):
        if (value := getattr(asked, name)) is not None:
            yield JOBS.c[name] == value
    if asked.name is not None:
        yield or_(*(JOBS.c.name.icontains(form, autoescape=True) for form in _written_forms(asked.name)))
    if asked.from_ms is not None:
        yield JOBS.c.created_at_ms >= asked.from_ms
    if asked.to_ms is not None:
        yield JOBS.c.created_at_ms < asked.to_ms


def _of_tenant(tenant: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if tenant is None else (JOBS.c.tenant == tenant,)


def _required(asked: SearchFilter) -> Iterator[str]:
    """Yield the terms of the index that stand for what recordings must be like."""
    if asked.tenant is not None:
        yield tenant_term(asked.tenant)
    if asked.language is not None:
        yield language_term(asked.language)


def _within(
    numbers: ColumnElement[Any], asked: SearchFilter, *, number: int | None, after: Place | None
) -> Iterator[ColumnElement[bool]]:
    """Yield what numbers must be like: they are in the order of time."""
    if number is not None:
        yield numbers == number
    if after is not None:
        yield numbers < after.number
    if asked.from_ms is not None:
        yield numbers >= first_number(asked.from_ms)
    if asked.to_ms is not None:
        yield numbers < first_number(asked.to_ms)


def _contains(terms: Sequence[str]) -> Iterator[ColumnElement[bool]]:
    return (SEGMENTS.c.text.icontains(term, autoescape=True) for term in terms[:PREFILTER_TERMS])


def _is_plain(terms: Sequence[str]) -> bool:
    """Return whether databases compare these terms as we do: ASCII, or letters without cases and other forms."""
    return all(
        term.isascii() or (term.upper() == term.lower() and len(set(_written_forms(term))) == 1) for term in terms
    )


def _written_forms(text: str) -> tuple[str, ...]:
    """Return a text as most programs write it, and as file names on macOS have it: letters and marks apart."""
    return tuple(dict.fromkeys(unicodedata.normalize(form, text) for form in ("NFC", "NFD")))
