"""``kascribe keys`` as a person types it, and as a script reads it."""

import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kascribe.commands.keys import app
from producers.api_keys.key import ApiKey
from producers.api_keys.secrets import digest_of, is_secret
from producers.api_keys.store import ApiKeys
from producers.api_keys.usage import Usage, UsageStore
from schemas.errors import ConfigurationError
from schemas.settings import S3Settings
from tests.support.object_store import MOTO_CREDENTIALS, ObjectStore
from tests.support.terminals import Where, kascribe


@pytest.fixture
def bucket(moto_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Settings:
    """Name an empty bucket in the environment."""
    settings = moto_store.settings()
    monkeypatch.chdir(tmp_path)
    for name, value in MOTO_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KASCRIBE_S3_ENDPOINT_URL", moto_store.endpoint_url)
    monkeypatch.setenv("KASCRIBE_S3_BUCKET", settings.bucket)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return settings


def typed(*words: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, words)


def rows(*words: str) -> list[dict[str, Any]]:
    """Run a command that prints JSON, one object a line."""
    result = typed(*words, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def made(name: str = "web", *words: str) -> dict[str, Any]:
    """Make a key of the tenant acme."""
    (row,) = rows("add", name, "--tenant", "acme", *words)
    return row


def stored(bucket: S3Settings, secret: str) -> ApiKey:
    """Find a key by its secret, as a gateway does."""
    key = ApiKeys(bucket).find(digest_of(secret))
    assert key is not None
    return key


def test_a_new_key_is_shown_once_alone_on_standard_output(bucket: S3Settings) -> None:
    """So that a script can keep it in a variable; what it is stands beside, on standard error."""
    result = typed("add", "web", "--tenant", "acme")
    secret = result.stdout.strip()
    assert is_secret(secret)
    key = stored(bucket, secret)
    assert (key.name, key.tenant, key.rights) == ("web", "acme", ("transcribe", "enrich", "read"))
    assert f"key {key.id} of tenant acme" in result.stderr
    for listed in (typed("list"), typed("list", "--all", "--json"), typed("revoke", key.id)):
        assert listed.exit_code == 0
        assert secret not in listed.output
        assert secret.removeprefix("kas_") not in listed.output
        assert digest_of(secret) not in listed.output


def test_a_key_has_the_limits_and_options_that_were_given(bucket: S3Settings) -> None:
    """Options of jobs are checked as those of a job are."""
    row = made(
        "batch",
        *("--right", "transcribe", "--right", "reference", "--lane", "bulk", "--expires", "90d"),
        *("--requests-per-minute", "60", "--concurrent-requests", "4", "--concurrent-streams", "2"),
        *("--bytes-per-day", "1000000", "--language", "KO", "--hotwords", "Kascribe", "--prompt", "A call."),
        *("--profile", "summary", "--answer-language", "Korean"),
    )
    key = stored(bucket, row["secret"])
    assert (key.rights, key.lane) == (("transcribe", "reference"), "bulk")
    assert key.limits.model_dump() == {
        "requests_per_minute": 60,
        "concurrent_requests": 4,
        "concurrent_streams": 2,
        "bytes_per_day": 1_000_000,
    }
    assert key.defaults.transcribe == {"language": "ko", "hotwords": "Kascribe", "initial_prompt": "A call."}
    assert key.defaults.enrich == {"profiles": ["summary"], "language": "Korean"}
    assert key.expires_at is not None
    assert 89 <= (key.expires_at - datetime.now(UTC)).days <= 90


def test_lists_show_what_may_be_shared(bucket: S3Settings) -> None:
    """Active keys, oldest first, with the last day of use; all of them with --all."""
    first, second = made("first"), made("second")
    UsageStore(bucket).put(first["id"], datetime(2026, 11, 22, tzinfo=UTC).date(), "g", Usage(requests=1))
    assert typed("revoke", second["id"]).stdout == f"revoked {second['id']} (second)\n"
    assert [(row["id"], row["last_used_on"]) for row in rows("list")] == [(first["id"], "2026-11-22")]
    assert [row["state"] for row in rows("list", "--all")] == ["active", "revoked"]
    (line,) = typed("list").stdout.splitlines()
    cells = line.split("\t")
    assert cells[:4] == [first["id"], "active", "acme", "transcribe,enrich,read"]
    assert cells[-2:] == ["2026-11-22", "first"]


def test_an_empty_list_says_how_to_make_a_key(bucket: S3Settings) -> None:
    """On standard error: a script reads no line."""
    del bucket
    result = typed("list")
    assert result.stdout == ""
    assert "kascribe keys add" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "web", "--tenant", " "), "--tenant"),
        (("add", "web", "--tenant", "acme", "--expires", "soon"), "write 90m"),
        (("add", "web", "--tenant", "acme", "--expires", "2020-01-01"), "past"),
        (("add", "web", "--tenant", "acme", "--language", "xx"), "Whisper language code"),
        (("add", "web", "--tenant", "acme", "--profile", "Not A Profile"), "--profiles"),
        (("add", "web", "--tenant", "acme", "--answer-language", "Korean"), "--answer-language"),
        (("revoke", "nothing"), "kascribe keys list"),
    ],
)
def test_a_mistake_makes_and_changes_nothing(bucket: S3Settings, words: Sequence[str], message: str) -> None:
    """The sentence says what to write instead."""
    result = typed(*words)
    assert isinstance(result.exception, ConfigurationError)
    assert message in str(result.exception)
    assert ApiKeys(bucket).all() == []


@pytest.mark.parametrize("where", Where)
def test_keys_are_made_and_listed_wherever_the_output_goes(
    bucket: S3Settings, where: Where, tmp_path: Path
) -> None:
    """On a terminal two lines for each key; in a file the secret alone, and lines with tabs."""
    environment = {**os.environ, "HOME": str(tmp_path)}
    added = kascribe(["keys", "add", "회의 \x1b[31mred", "--tenant", "acme"], where, tmp_path, environment)
    assert added.exit_code == 0, added
    secrets = re.findall(r"kas_[A-Za-z0-9_-]{43}", added.screen + added.stdout)
    assert [stored(bucket, secret).tenant for secret in secrets] == ["acme"]
    if where is not Where.TERMINAL:
        assert added.stdout == f"{secrets[0]}\n"
    listed = kascribe(["keys", "list"], where, tmp_path, environment)
    shown = listed.screen if where is Where.TERMINAL else listed.stdout
    key = stored(bucket, secrets[0])
    for text in (key.id, "acme", "transcribe,enrich,read", "회의"):
        assert text in shown
    assert "\x1b[31m" not in shown
    assert secrets[0] not in shown
