"""The archive's database: changes in, one transaction for each batch.

::

    lock the jobs ─▶ fold the changes ─▶ forget what was deleted ─▶ write what differs ─▶ commit

A batch that is repeated changes nothing. What fails is rolled back whole.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, select, text, update
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from consumers.archive import rows
from consumers.archive.changes import Change, Deleted, Enriched, Transcribed
from consumers.archive.columns import columns_of
from consumers.archive.migrations import migrate
from consumers.archive.standing import Standing
from schemas.archive.tables import ARCHIVE, JOBS
from schemas.errors import DependencyDown, InvalidEvent

ARCHIVE_DEPENDENCY: Final = "archive"
"""The database's name as a dependency."""

ID_BYTES: Final = 6
RACES_LIMIT: Final = 5
"""Attempts at one batch while other processes insert the same jobs."""

_AWAY: Final = (OperationalError, InterfaceError, InternalError, ProgrammingError, PoolTimeout)
"""The server is away, the file is locked, the disk is full, the schema is gone: no fault of the record."""

_RACES: Final = frozenset({"40001", "40P01"})
"""PostgreSQL's codes of a transaction to repeat: serialization failure, deadlock."""


class ArchiveDatabase:
    """One archive. Safe to share between threads; every method blocks, and raises DependencyDown("archive")."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def prepare(self, *, now_ms: int) -> str:
        """Bring the schema up to date and return the archive's id: random, and as old as the database."""
        with archive_errors(), self._engine.begin() as connection:
            migrate(connection)
            known = connection.scalar(select(ARCHIVE.c.id))
            if known is not None:
                return str(known)
            made = secrets.token_hex(ID_BYTES)
            connection.execute(insert(ARCHIVE).values(id=made, created_at_ms=now_ms))
            return made

    def apply(self, changes: Sequence[Change], *, loaded_until: str | None = None) -> None:
        """Write changes, of any jobs, in one transaction. Safe to repeat, in any order.

        With ``loaded_until`` it is noted there as well how far the bucket was read. Raises InvalidEvent when the
        database refuses a value.
        """
        for attempt in range(1, RACES_LIMIT + 1):
            try:
                with archive_errors(), self._engine.begin() as connection:
                    _apply(connection, changes)
                    if loaded_until is not None:
                        connection.execute(update(ARCHIVE).values(loaded_until=loaded_until))
                return
            except (InvalidEvent, DependencyDown) as error:
                if attempt == RACES_LIMIT or not _is_race(error.__cause__):
                    raise

    def has_transcript(self, job_id: str, event_id: str, at_ms: int) -> bool:
        """Return whether this transcript event, or a later one of the job, is stored."""
        with archive_errors(), self._engine.connect() as connection:
            found = connection.scalar(select(JOBS.c.standing).where(JOBS.c.job_id == job_id))
        known = Standing.model_validate(found or {}).transcription
        return known is not None and (known.at_ms, known.event_id) >= (at_ms, event_id)

    def loading(self) -> tuple[str | None, bool]:
        """Return the last key of the bucket that was loaded, and whether all were."""
        with archive_errors(), self._engine.connect() as connection:
            found = connection.execute(select(ARCHIVE.c.loaded_until, ARCHIVE.c.loaded_at_ms)).one()
        return found.loaded_until, found.loaded_at_ms is not None

    def finish_loading(self, *, now_ms: int) -> None:
        """Note that all of the bucket was loaded."""
        with archive_errors(), self._engine.begin() as connection:
            connection.execute(update(ARCHIVE).values(loaded_at_ms=now_ms))

    def tidy(self) -> None:
        """Update what the database's planner knows of the tables, after much was written. Blocks for seconds."""
        statement = "ANALYZE" if self._engine.dialect.name == rows.POSTGRESQL else "PRAGMA optimize = 0x10002"
        with archive_errors(), self._engine.begin() as connection:
            connection.execute(text(statement))

    @contextmanager
    def alone(self, lock: int) -> Iterator[bool]:
        """Hold a lock among the processes of a PostgreSQL archive while the context lasts; False: another does."""
        if self._engine.dialect.name != rows.POSTGRESQL:
            yield True
            return
        with archive_errors(), self._engine.connect() as connection:
            taken = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": lock}))
            connection.commit()
            try:
                yield taken
            finally:
                if taken:
                    connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": lock})

    def is_up(self) -> bool:
        """Return whether the database answers."""
        try:
            with archive_errors(), self._engine.connect() as connection:
                connection.execute(select(ARCHIVE.c.id))
        except DependencyDown:
            return False
        return True


@contextmanager
def archive_errors() -> Iterator[None]:
    """Translate SQLAlchemy's errors. Their own text may hold transcripts, so only their kind is passed on."""
    try:
        yield
    except (DataError, IntegrityError) as error:
        raise InvalidEvent(f"the archive's database refuses a value ({_kind(error)})") from error
    except _AWAY as error:
        if _is_too_large(error):
            raise InvalidEvent(f"the archive's database refuses a value ({_kind(error)})") from error
        raise DependencyDown(
            ARCHIVE_DEPENDENCY,
            f"the archive's database does not serve ({_kind(error)}): start it or correct KASCRIBE_ARCHIVE_URL; "
            "`kascribe doctor archive` names the cause",
        ) from error
    except SQLAlchemyError as error:
        raise InvalidEvent(f"the archive's database cannot store a value ({type(error).__name__})") from error


def _is_too_large(error: SQLAlchemyError) -> bool:
    """Return whether PostgreSQL refuses a value for its size: its class 54, program limit exceeded."""
    original = error.orig if isinstance(error, DBAPIError) else None
    return str(getattr(original, "sqlstate", None) or "").startswith("54")


def _is_race(error: BaseException | None) -> bool:
    """Return whether another process was faster: it took the number that was free, or the locks."""
    if isinstance(error, IntegrityError):
        return True
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _RACES


def _kind(error: SQLAlchemyError) -> str:
    original = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    name = type(original or error).__name__
    return f"{name}, {code}" if code else name


def _apply(connection: Connection, changes: Sequence[Change]) -> None:
    by_job: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_job[change.job_id].append(change)
    job_ids = sorted(by_job)
    stored = rows.jobs_for_update(connection, job_ids)
    for change in sorted((each for each in changes if isinstance(each, Deleted)), key=lambda each: each.job_id):
        rows.note_deletion(connection, change.job_id, change.tenant, change.at_ms)
    deleted = rows.deletions_of(connection, job_ids)
    jobs = [
        _ChangedJob.of(stored.get(job_id), by_job[job_id], deleted.get(job_id), job_id=job_id)
        for job_id in job_ids
    ]
    new = {job.job_id: job.columns["created_at_ms"] for job in jobs if job.number is None and job.columns}
    numbers = rows.free_numbers(connection, new) if new else {}
    pending = rows.PendingRows()
    for job in jobs:
        job.add_to(pending, numbers.get(job.job_id))
    pending.write(connection)


@dataclass(frozen=True, slots=True)
class _ChangedJob:
    """A job before and after some changes. ``number`` is None while it is not stored."""

    job_id: str
    number: int | None
    before: Standing
    after: Standing
    changes: Sequence[Change]
    columns: dict[str, Any]

    @classmethod
    def of(cls, row: Any, changes: Sequence[Change], deleted_at_ms: int | None, *, job_id: str) -> "_ChangedJob":
        before = Standing.model_validate(row.standing) if row is not None else Standing()
        after = before
        for change in changes:
            after = change.apply(after)
        if deleted_at_ms is not None:
            after = after.after_deletion(deleted_at_ms)
        columns = columns_of(after) if after != before and not after.is_empty else {}
        return cls(job_id, row.number if row is not None else None, before, after, changes, columns)

    def add_to(self, pending: rows.PendingRows, new_number: int | None) -> None:
        """Add the rows that differ."""
        if self.after == self.before:
            return
        if self.number is not None and self.after.is_empty:
            pending.delete_job(self.number)
        elif self.number is not None:
            pending.changed_jobs.append({"of_job": self.number, **self.columns})
            self._add_rest(pending, self.number)
        elif new_number is not None:
            identified = {"number": new_number, "job_id": self.job_id, "enrichment_count": 0}
            pending.jobs.append({**identified, **self.columns})
            self._add_rest(pending, new_number)

    def _add_rest(self, pending: rows.PendingRows, number: int) -> None:
        if self.after.transcription != self.before.transcription:
            self._add_recording(pending, number)
        for gone in self.before.enrichments.keys() - self.after.enrichments.keys():
            pending.delete_enrichment(number, gone)
        latest = {
            change.enrichment_id: change
            for change in self.changes
            if isinstance(change, Enriched) and self.after.enrichments.get(change.enrichment_id) == change.at_ms
        }
        for enrichment_id, change in latest.items():
            if self.before.enrichments.get(enrichment_id) != change.at_ms:
                pending.put_enrichment(number, change)

    def _add_recording(self, pending: rows.PendingRows, number: int) -> None:
        if self.before.transcription is not None:
            pending.gone_recordings.append({"of_job": number})
        for change in self.changes:
            if isinstance(change, Transcribed) and change.transcription == self.after.transcription:
                pending.put_recording(number, change)
                return
