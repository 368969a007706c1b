"""Settings that keep a PostgreSQL password from the network, on the real client and server."""

import pytest
from pydantic import SecretStr

from kascribe.wiring.archive import opened_archive
from producers.archive.reads import ArchiveReads
from schemas.errors import DependencyDown
from schemas.settings import ArchiveSettings
from tests.support.postgresql import PostgresqlServer


@pytest.mark.parametrize(
    ("query", "why"),
    [("sslmode=require", "does not support SSL"), ("require_auth=scram-sha-256", "scram-sha-256")],
)
def test_a_server_that_would_get_the_password_is_not_used(
    postgresql: PostgresqlServer, query: str, why: str
) -> None:
    """The one here has no TLS, and asks for no proof."""
    settings = ArchiveSettings(url=SecretStr(f"{postgresql.new_database()}?{query}"))
    with opened_archive(settings) as engine, pytest.raises(DependencyDown) as caught:
        ArchiveReads(engine).probe()
    assert why in str(caught.value.__cause__)
