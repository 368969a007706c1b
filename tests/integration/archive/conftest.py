"""The databases of the archive's role: a file, and a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgresql import PostgresqlServer, running_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """Run one real server for the session; every test takes its own database."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an archive that does not exist yet: each test runs on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/archive.db"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.new_database()
