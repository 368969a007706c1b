"""The archive's questions, each answered in one transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, exc, select

from producers.archive import statements
from producers.archive.answers import JobPage, JobSummary, SearchPage, SearchResult, UsageRow
from producers.archive.cursors import Place
from producers.archive.filters import JobFilter, SearchFilter, UsageKey, moment_at
from producers.archive.hits import ALL, FEW, HitReader
from schemas.archive.search_terms import SearchQuery, query_terms
from schemas.archive.tables import ARCHIVE
from schemas.errors import DependencyDown

ARCHIVE_DEPENDENCY: Final = "archive"
"""The dependency's name, as DependencyDown carries it."""

_ERRORS: Final = (
    exc.DatabaseError,  # the parent of what drivers raise: no connection, no tables, a damaged file
    exc.InterfaceError,
    exc.TimeoutError,
)


@dataclass(frozen=True, slots=True)
class ArchiveReads:
    """Reads the archive. Safe to share between threads; every method blocks, and raises DependencyDown.

    A method that takes a cursor raises CursorInvalid for one that is not of the same question.
    """

    engine: Engine

    def jobs(self, asked: JobFilter, *, limit: int, cursor: str | None = None) -> JobPage:
        """Return a page of jobs, newest first."""
        after = Place.parse(cursor, asked) if cursor is not None else None
        with self._connected() as connection:
            rows = _rows(connection, statements.jobs_page(asked, after=after, limit=limit + 1))
        return JobPage(
            jobs=[JobSummary.of(row) for row in rows[:limit]],
            next=_place_of(rows[limit - 1]).cursor(asked) if len(rows) > limit else None,
        )

    def search(self, asked: SearchFilter, *, limit: int, cursor: str | None = None) -> SearchPage:
        """Return a page of recordings in which all words occur, newest first.

        Each has its first hits; the one that ``asked`` names has all of them. Words without letters and digits
        find nothing.
        """
        after = Place.parse(cursor, asked) if cursor is not None else None
        query = query_terms(asked.words)
        if not query.phrases:
            return SearchPage(results=[], next=None)
        limits = FEW if asked.job_id is None else ALL
        with self._connected() as connection:
            rows = self._recordings(connection, asked, query, after, limit + 1)
            reader = HitReader(connection, query, limits)
            found = [(row, reader.hits_of(row)) for row in rows[:limit]]
        return SearchPage(
            results=[
                SearchResult(job=JobSummary.of(row), hits=hits.hits, hit_count=hits.count) for row, hits in found
            ],
            next=_place_of(rows[limit - 1]).cursor(asked) if len(rows) > limit else None,
        )

    def usage(self, key: UsageKey, asked: JobFilter) -> list[UsageRow]:
        """Return sums by tenant, day or model: days newest first, others with the most audio first."""
        with self._connected() as connection:
            rows = _rows(connection, statements.usage_by(key, asked))
        return [UsageRow(**{**row, "key": _name_of(key, row["key"])}) for row in rows]

    def is_up(self) -> bool:
        """Return whether the archive can be read; never raises."""
        try:
            self.probe()
        except DependencyDown:
            return False
        return True

    def probe(self) -> None:
        """Read one row."""
        with self._connected() as connection:
            connection.execute(select(ARCHIVE.c.id).limit(1)).all()

    def _recordings(
        self, connection: Connection, asked: SearchFilter, query: SearchQuery, after: Place | None, limit: int
    ) -> Sequence[RowMapping]:
        number = None
        if asked.job_id is not None:
            number = connection.scalar(statements.number_of(asked.job_id, tenant=asked.tenant))
            if number is None:
                return []
        is_postgresql = self.engine.dialect.name == "postgresql"
        recordings = statements.recordings_in_postgresql if is_postgresql else statements.recordings_in_sqlite
        statement = recordings(asked, query, number=number, after=after, limit=limit)
        numbers = connection.scalars(statement).all()
        return _rows(connection, statements.jobs_of(numbers, tenant=asked.tenant)) if numbers else []

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                yield connection
        except _ERRORS as error:
            # A driver's message may name hosts and files, and quotes the question.
            raise DependencyDown(
                ARCHIVE_DEPENDENCY,
                "the archive's database does not answer, or its role has not made its tables yet "
                "(`kascribe run archive`)",
            ) from error


def _rows(connection: Connection, statement: Any) -> Sequence[RowMapping]:
    return connection.execute(statement).mappings().all()


def _place_of(row: RowMapping) -> Place:
    return Place(row["created_at_ms"], row["number"])


def _name_of(key: UsageKey, value: Any) -> str | None:
    return moment_at(value).date().isoformat() if key is UsageKey.DAY else value
