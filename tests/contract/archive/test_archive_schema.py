"""The migrations make the tables that the code names, and the settings name a database."""

import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr, ValidationError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from consumers.archive.database import ArchiveDatabase
from consumers.archive.migrations import last_revision
from kascribe.wiring.archive import opened_archive, opened_for_writing
from kascribe.wiring.archive_role import LOCK_RETRY_SECONDS, _only_writer
from schemas.archive.tables import METADATA, SCHEMA_VERSION
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError
from schemas.settings import ArchiveSettings
from tests.contract.archive.archive_bench import ArchiveBench
from tests.support.postgresql import PostgresqlServer

NAMES_INDEX = "jobs_by_name"


def test_migrated_tables_are_those_of_the_code(archive: ArchiveBench) -> None:
    """A column that is added to the tables without a migration fails here."""
    with archive.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _is_of_the_code})
        assert compare_metadata(context, METADATA) == []
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    assert version == SCHEMA_VERSION == last_revision()


def _is_of_the_code(name: str | None, kind: str, _: object) -> bool:
    """Return whether the code names a part of the schema: not the search index, which differs by database."""
    return name != NAMES_INDEX and (kind != "table" or name in METADATA.tables)


def _has_index_of_names(settings: ArchiveSettings) -> bool:
    with opened_for_writing(settings) as engine:
        ArchiveDatabase(engine).prepare(now_ms=1)
        with engine.connect() as connection:
            asked = text("SELECT count(*) FROM pg_indexes WHERE indexname = :name")
            return bool(connection.scalar(asked, {"name": NAMES_INDEX}))


def test_parts_of_names_have_an_index_where_the_role_may_make_it(postgresql: PostgresqlServer) -> None:
    """A user who may not add the extension has an archive all the same."""
    url = postgresql.new_database()
    assert _has_index_of_names(ArchiveSettings(url=SecretStr(url)))
    plain = postgresql.new_database()
    with opened_for_writing(ArchiveSettings(url=SecretStr(plain))) as engine, engine.begin() as connection:
        connection.execute(text("CREATE ROLE plain LOGIN"))
        connection.execute(text("GRANT CREATE ON SCHEMA public TO plain"))
    assert not _has_index_of_names(ArchiveSettings(url=SecretStr(plain.replace("//kascribe@", "//plain@"))))


def test_preparing_again_keeps_the_archives_id(archive: ArchiveBench) -> None:
    """The id is as old as the database: with it the consumer group stays the same."""
    first = archive.database.prepare(now_ms=1)
    assert ArchiveDatabase(archive.engine).prepare(now_ms=2) == first
    assert len(first) == 12


def test_readers_neither_make_nor_change_an_archive(archive: ArchiveBench, tmp_path: Path) -> None:
    """A gateway with a wrong path gets an error instead of an empty archive, and cannot write by mistake."""
    with archive.reading.connect() as connection, pytest.raises(Exception, match=r"read-?only"):
        connection.execute(text("DELETE FROM jobs"))
    missing = ArchiveSettings(url=SecretStr(f"sqlite:///{tmp_path}/missing.db"))
    with opened_archive(missing) as engine, pytest.raises(OperationalError):
        engine.connect()
    assert not (tmp_path / "missing.db").exists()


def test_two_roles_never_write_to_one_file(tmp_path: Path) -> None:
    """The second one ends with an error that names the way out."""
    settings = ArchiveSettings(url=SecretStr(f"sqlite:///{tmp_path}/archive.db"))
    with writer(settings), pytest.raises(ConfigurationError, match="PostgreSQL"), writer(settings):
        pass
    with writer(settings):
        pass


def test_a_role_waits_for_its_predecessor_to_end(tmp_path: Path) -> None:
    """One that was killed with its system drains for some seconds."""
    settings = ArchiveSettings(url=SecretStr(f"sqlite:///{tmp_path}/archive.db"))
    is_writing = threading.Event()

    def write() -> None:
        with writer(settings, limit_seconds=30):
            is_writing.set()

    with writer(settings):
        follower = threading.Thread(target=write)
        follower.start()
        assert not is_writing.wait(2 * LOCK_RETRY_SECONDS)
    follower.join(30)
    assert is_writing.is_set()


def writer(settings: ArchiveSettings, *, limit_seconds: float = 0.0) -> AbstractContextManager[None]:
    """Write to an archive as its role does."""
    return _only_writer(settings, limit_seconds=limit_seconds, clock=SystemClock())


@pytest.mark.parametrize(
    "url", ["mysql://host/database", "sqlite://", "sqlite:///", "archive.db", "postgresql://"]
)
def test_other_databases_are_refused(url: str) -> None:
    """The error says what an address looks like, and never repeats it: it may hold a password."""
    with pytest.raises(ValidationError, match="Input should be as in sqlite:///"):
        ArchiveSettings(url=SecretStr(url))


def test_the_common_names_of_postgresql_are_taken() -> None:
    """Addresses of other programs work as they are."""
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        url = ArchiveSettings(url=SecretStr(f"{scheme}://user:secret@host/db")).url
        assert url is not None
        assert url.get_secret_value() == "postgresql+psycopg://user:secret@host/db"
