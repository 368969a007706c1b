"""The wiring of the archive: its database, opened for reading by gateways and for writing by the role."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from schemas.errors import ConfigurationError
from schemas.settings import ArchiveSettings
from schemas.settings.archive import ARCHIVE_URL

IDLE_SECONDS: Final = 600
"""Older connections are replaced: firewalls between a gateway and its database forget idle ones."""

CACHE_KIBIBYTES: Final = 64 * 1024
"""Of each connection to a SQLite file, taken as it is needed."""

MAPPED_BYTES: Final = 1024**3
"""Of a SQLite file, read through the page cache instead of being copied."""


@contextmanager
def opened_archive(settings: ArchiveSettings) -> Iterator[Engine]:
    """Open the archive for reading while the context lasts. Connects when it is first used, not before.

    A SQLite file is never made here: connecting raises OperationalError until the archive's role has made it.
    Raises ConfigurationError when there is no URL, or the database's driver is not installed.
    """
    with _opened(settings, mode="rw", begin="BEGIN") as engine:
        yield engine


@contextmanager
def opened_for_writing(settings: ArchiveSettings) -> Iterator[Engine]:
    """Open the archive for its role: a SQLite file is made, with its folder. See ``opened_archive``.

    A transaction on SQLite takes the lock for writing at its beginning, so it never fails halfway for that.
    """
    if file := file_of(settings):
        file.parent.mkdir(parents=True, exist_ok=True)
    with _opened(settings, mode="rwc", begin="BEGIN IMMEDIATE") as engine:
        yield engine


def file_of(settings: ArchiveSettings) -> Path | None:
    """Return the file of a SQLite archive; None for any other."""
    if settings.url is None or not settings.is_sqlite:
        return None
    return Path(make_url(settings.url.get_secret_value()).database or "")


@contextmanager
def _opened(settings: ArchiveSettings, *, mode: str, begin: str) -> Iterator[Engine]:
    if settings.url is None:
        raise ConfigurationError(f"there is no archive: set {ARCHIVE_URL}, as in sqlite:///archive.db")
    try:
        url = make_url(settings.url.get_secret_value())
        engine = _sqlite(url, settings, mode, begin) if settings.is_sqlite else _postgresql(url, settings, mode)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(f"{ARCHIVE_URL} is not the address of a database") from error
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigurationError(
            f"{ARCHIVE_URL} names PostgreSQL, and its driver is missing: pip install 'kascribe[postgresql]'"
        ) from error
    try:
        yield engine
    finally:
        engine.dispose()


def _sqlite(url: URL, settings: ArchiveSettings, mode: str, begin: str) -> Engine:
    address = url.set(database=f"file:{quote(url.database or '')}", query={"mode": mode, "uri": "true"})
    engine = create_engine(
        address,
        pool_size=settings.connection_limit,
        max_overflow=0,
        pool_timeout=settings.timeout_seconds,
        hide_parameters=True,  # they hold transcripts
        connect_args={"timeout": settings.timeout_seconds, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not where the driver sees a need
        for pragma in (
            *(("journal_mode = WAL",) if mode == "rwc" else ("query_only = ON",)),
            "synchronous = FULL",
            "foreign_keys = ON",
            f"cache_size = -{CACHE_KIBIBYTES}",
            f"mmap_size = {MAPPED_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgresql(url: URL, settings: ArchiveSettings, mode: str) -> Engine:
    milliseconds = int(settings.timeout_seconds * 1_000)
    # The role's migrations may take longer than any request.
    limits = f"-c lock_timeout={milliseconds}"
    limits += f" -c statement_timeout={milliseconds} -c default_transaction_read_only=on" if mode == "rw" else ""
    return create_engine(
        url,
        pool_size=settings.connection_limit,
        max_overflow=0,
        pool_timeout=settings.timeout_seconds,
        pool_recycle=IDLE_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": max(2, int(settings.timeout_seconds)),
            "options": limits,
            "application_name": "kascribe",
            # A plan is made for the words of each query: one for all of them is slow for some.
            "prepare_threshold": None,
        },
    )
