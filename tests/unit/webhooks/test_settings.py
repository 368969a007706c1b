"""Webhooks in the settings: tables of tenants, secrets from files, and nothing of a secret on a screen."""

from pathlib import Path

import pytest

from kascribe.configuration.reading import Loaded, load
from schemas.errors import ConfigurationError
from tests.contract.notifier.webhook_receiver import OTHER_SECRET, SECRET
from tests.support.settings_sources import shown


def _loaded(tmp_path: Path, table: str, **environment: str) -> Loaded:
    file = tmp_path / "kascribe.toml"
    file.write_text(table, encoding="utf-8")
    return load(config_file=file, environment=environment)


def test_tenants_have_secrets_of_their_own_also_from_files(tmp_path: Path) -> None:
    """They are masked where settings are shown."""
    (tmp_path / "secret").write_text(f"{OTHER_SECRET}\n", encoding="utf-8")
    table = (
        f'[webhooks.tenants.acme]\nurl = "https://hooks.acme.example/"\nsecret_file = "{tmp_path / "secret"}"\n'
        f'[webhooks.tenants.other]\nsecret = "{SECRET}"\n'
    )
    loaded = _loaded(tmp_path, table, KASCRIBE_WEBHOOKS_SECRET_FILE=str(tmp_path / "secret"))
    webhooks = loaded.settings.webhooks
    secrets = [webhooks.secret, webhooks.tenants["acme"].secret, webhooks.tenants["other"].secret]
    assert [secret.get_secret_value() for secret in secrets if secret] == [OTHER_SECRET, OTHER_SECRET, SECRET]
    rows = shown(loaded)
    assert rows["webhooks.tenants.acme.url"][0] == "https://hooks.acme.example/"
    assert {rows[f"webhooks.{name}"][0] for name in ("secret", "tenants.acme.secret", "tenants.other.secret")} == {
        "****"
    }


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ('[webhooks.tenants.acme]\nsecret = "whsec_very-private"\n', "acme.secret"),
        ('[webhooks.tenants.acme]\nsceret = "whsec_very-private"\n', "acme.sceret"),
        ('[webhooks]\nsecret = "whsec_very-private"\n', "webhooks.secret"),
        ('[webhooks]\ntenants = "whsec_very-private"\n', "webhooks.tenants"),
        ('[webhooks.tenants.acme]\nsecret_file = "/nowhere/secret"\n', "acme.secret_file"),
    ],
)
def test_a_wrong_table_is_refused_without_a_word_of_the_secret(table: str, named: str, tmp_path: Path) -> None:
    """The message names the tenant and the field."""
    with pytest.raises(ConfigurationError) as refused:
        _loaded(tmp_path, table)
    assert named in str(refused.value)
    assert "very-private" not in str(refused.value)
