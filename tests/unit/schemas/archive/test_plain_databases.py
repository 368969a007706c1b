"""A password of PostgreSQL is not sent where it can be read on the way."""

from collections.abc import Mapping
from typing import Any

import pytest

from schemas.settings import Settings
from schemas.settings.plain_secrets import exposed_secrets

USER = "postgresql://kascribe:hid/d#en?@"
QUIET: Mapping[str, str] = {}


def refusals(url: str, environment: Mapping[str, str] = QUIET, **sections: Any) -> list[str]:
    """Return the sentences about this archive."""
    return list(exposed_secrets(Settings.model_validate({"archive": {"url": url}, **sections}), environment))


@pytest.mark.parametrize(
    "query", ["", "?sslmode=prefer", "?sslmode=allow", "?sslmode=disable", "?require_auth=password,scram-sha-256"]
)
def test_a_server_elsewhere_needs_tls_or_scram(query: str) -> None:
    """The sentence names host and remedies, and not the password."""
    (sentence,) = refusals(f"{USER}db.example:5432/archive{query}")
    assert sentence == (
        "the password in KASCRIBE_ARCHIVE_URL may be sent to db.example without TLS: add sslmode=verify-full, "
        "sslmode=require or require_auth=scram-sha-256 to the address, as in "
        "postgresql://user:password@host/database?sslmode=require, or name db.example in "
        "KASCRIBE_SECURITY_PLAINTEXT_HOSTS if the way to it is trusted"
    )


@pytest.mark.parametrize(
    "address",
    [
        *(f"db.example/archive?sslmode={mode}" for mode in ("require", "verify-ca", "verify-full")),
        "db.example/archive?require_auth=scram-sha-256",
        "127.0.0.1:5432/archive",
        "[::1]:5432/archive",
        "localhost/archive",
        "/archive",
        "/archive?host=/run/postgresql",
    ],
)
def test_what_keeps_the_password_is_accepted(address: str) -> None:
    """TLS, proof instead of the password, and this machine."""
    assert refusals(USER + address) == []


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        ("/archive?host=one.example:5432&host=localhost:1&host=two.example", ["one.example", "two.example"]),
        ("localhost/archive?host=one.example", ["one.example"]),
        ("localhost/archive?hostaddr=10.0.0.1", ["10.0.0.1"]),
        ("[fd00::1]:5432/archive", ["fd00::1"]),
    ],
)
def test_every_host_that_libpq_connects_to_counts(address: str, hosts: list[str]) -> None:
    """Those of the query replace the one before the path."""
    assert [sentence.partition(" sent to ")[2].split()[0] for sentence in refusals(USER + address)] == hosts


def test_variables_of_libpq_hold_where_the_address_is_silent() -> None:
    """They do not outweigh it."""
    assert refusals(f"{USER}db.example/archive", {"PGSSLMODE": "verify-full"}) == []
    assert refusals(f"{USER}db.example/archive", {"PGREQUIREAUTH": "scram-sha-256"}) == []
    assert len(refusals(f"{USER}db.example/archive?sslmode=prefer", {"PGSSLMODE": "require"})) == 1
    assert len(refusals(f"{USER}/archive", {"PGHOST": "db.example"})) == 1


def test_a_database_on_a_trusted_way_is_named() -> None:
    """As other hosts are; a file is no host."""
    assert refusals(f"{USER}db/archive", security={"plaintext_hosts": ["db"]}) == []
    assert refusals("sqlite:////tmp/archive.db") == []
