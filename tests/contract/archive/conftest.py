"""The archive on each of its databases: a file of the test's own, and an empty database of a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.settings import ArchiveSettings
from tests.contract.archive.archive_bench import ArchiveBench, opened_bench
from tests.support.object_store import ObjectStore
from tests.support.postgresql import PostgresqlServer, running_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """Run one real server for the session; every test takes its own database."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_settings(request: pytest.FixtureRequest, tmp_path: Path) -> ArchiveSettings:
    """Return settings of an archive that does not exist yet: each test runs on both databases."""
    if request.param == "sqlite":
        return ArchiveSettings(url=SecretStr(f"sqlite:///{tmp_path}/new folder/archive.db"))
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return ArchiveSettings(url=SecretStr(server.new_database()))


@pytest.fixture
def archive(archive_settings: ArchiveSettings, moto_store: ObjectStore) -> Iterator[ArchiveBench]:
    """Yield an archive with its stage, on an empty bucket."""
    with opened_bench(archive_settings, moto_store) as bench:
        yield bench
