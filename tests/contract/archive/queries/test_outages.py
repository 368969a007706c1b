"""A database that does not serve is a dependency that is down, and the message tells nothing of the question."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from kascribe.wiring.archive import opened_archive
from producers.archive.filters import JobFilter, SearchFilter, UsageKey
from producers.archive.reads import ArchiveReads
from schemas.errors import DependencyDown
from schemas.settings import ArchiveSettings
from tests.contract.archive.archive_bench import opened_bench
from tests.support.object_store import ObjectStore
from tests.support.postgresql import PostgresqlServer


def assert_down(reads: ArchiveReads) -> None:
    """Check that every question says so."""
    questions = (
        lambda: reads.jobs(JobFilter(tenant="secret tenant"), limit=1),
        lambda: reads.search(SearchFilter(tenant="secret tenant", words="secret"), limit=1),
        lambda: reads.usage(UsageKey.DAY, JobFilter(tenant="secret tenant")),
    )
    for ask in questions:
        with pytest.raises(DependencyDown) as caught:
            ask()
        assert caught.value.dependency == "archive"
        assert "secret" not in str(caught.value)
        assert "kascribe run archive" in str(caught.value)
    assert not reads.is_up()


def test_an_archive_that_answers_is_up(reads: ArchiveReads) -> None:
    """On both databases, also when it is empty."""
    assert reads.is_up()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A gateway before its archive's role makes no empty one."""
    file = tmp_path / "archive.db"
    with opened_archive(ArchiveSettings(url=SecretStr(f"sqlite:///{file}"))) as engine:
        assert_down(ArchiveReads(engine))
    assert not file.exists()


def test_a_database_without_tables_is_down(postgresql: PostgresqlServer) -> None:
    """Until the archive's role has made them."""
    with opened_archive(ArchiveSettings(url=SecretStr(postgresql.new_database()))) as engine:
        assert_down(ArchiveReads(engine))


def test_a_server_that_restarts_is_used_again(postgresql: PostgresqlServer, moto_store: ObjectStore) -> None:
    """While it is away every question fails, and afterwards none does."""
    with opened_bench(ArchiveSettings(url=SecretStr(postgresql.new_database())), moto_store) as archive:
        reads = ArchiveReads(archive.reading)
        assert reads.is_up()
        postgresql.stop()
        try:
            assert_down(reads)
        finally:
            postgresql.start()
        assert reads.is_up()
