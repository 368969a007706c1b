"""Each failure of a language model server and of the archive: its row, and its remedy."""

import sys
from pathlib import Path

import pytest

from kascribe.configuration.reading import load
from kascribe.operations.doctor import language_model
from kascribe.operations.doctor.findings import State
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault
from tests.integration.health.doctor.examined import Rows, examined


def served(base_url: str, **changed: object) -> Rows:
    """Examine the language model server of an enricher."""
    overrides = {"vllm.base_url": base_url, **{f"vllm.{name}": value for name, value in changed.items()}}
    return examined(load(overrides=overrides).settings, "enricher", areas=("vLLM",))


def test_a_server_that_is_well_has_three_rows() -> None:
    """It answers, has a context, and holds to a schema."""
    with running(VllmDouble(context_tokens=8_192, api_key="key")) as double:
        rows = served(double.base_url, api_key="key")
    assert set(rows.states.values()) == {State.OK}
    assert "8,192" in rows["model served"].found


@pytest.mark.parametrize(
    ("double", "changed", "row", "remedy"),
    [
        (VllmDouble(context_tokens=8_192), {"model": "another"}, "model served", "KASCRIBE_VLLM_MODEL"),
        (VllmDouble(context_tokens=8_192, api_key="key"), {"api_key": "wrong"}, "server", "KASCRIBE_VLLM_API_KEY"),
        (VllmDouble(stopped=True), {"timeout_seconds": 1.0}, "server", "restart it"),
        (VllmDouble(context_tokens=8_192, text="no JSON"), {}, "structured output", "structured outputs"),
        (VllmDouble(context_tokens=8_192, always=Fault.ERROR), {}, "structured output", "json_schema"),
    ],
)
def test_a_server_that_is_wrong_is_told_what_it_lacks(
    double: VllmDouble, changed: dict[str, object], row: str, remedy: str
) -> None:
    """A wrong model, a wrong key, a frozen server, and one that ignores schemas."""
    with running(double):
        rows = served(double.base_url, **changed)
    name = f"server {double.base_url}" if row == "server" else row
    assert rows[name].state is State.FAILED
    assert remedy in rows[name].remedy
    assert rows.named(State.FAILED) == {name}


def test_a_short_context_is_a_warning() -> None:
    """Long transcripts are condensed in parts then."""
    with running(VllmDouble(context_tokens=language_model.SHORT_CONTEXT_TOKENS // 4)) as double:
        assert served(double.base_url).named(State.WARNING) == {"model served"}


def test_each_server_has_rows_of_its_own() -> None:
    """One that is away does not hide the other."""
    with running(VllmDouble(context_tokens=8_192)) as double:
        rows = served(f"{double.base_url},http://127.0.0.1:1")
    assert rows[f"server {double.base_url}"].state is State.OK
    assert rows["server http://127.0.0.1:1"].state is State.FAILED
    assert "KASCRIBE_VLLM_BASE_URL" in rows["server http://127.0.0.1:1"].remedy


def archived(url: str) -> Rows:
    """Examine the database of an archive."""
    return examined(load(overrides={"archive.url": url}).settings, "archive", areas=("archive",))


def test_a_database_is_absent_damaged_or_away(tmp_path: Path) -> None:
    """A file that is not there yet is made by the role; one that is no database fails."""
    path = tmp_path / "archive.db"
    assert archived(f"sqlite:///{path}").states == {"archive folder": State.OK, "database": State.WARNING}
    path.write_bytes(b"no database" * 1_000)
    damaged = archived(f"sqlite:///{path}")
    assert damaged["database"].state is State.FAILED
    assert "filled again" in damaged["database"].remedy
    away = archived("postgresql://user:sesame@127.0.0.1:1/kascribe")
    assert away["database"].state is State.FAILED
    assert "KASCRIBE_ARCHIVE_URL" in away["database"].remedy


def test_an_archive_that_cannot_be_opened_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address, or no driver: neither is a server that does not answer."""
    unset = examined(load().settings, "archive", areas=("archive",))["database"]
    assert (unset.state, unset.remedy[:25]) == (State.FAILED, "set KASCRIBE_ARCHIVE_URL,")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    driverless = archived("postgresql://user@127.0.0.1:1/kascribe")["database"]
    assert (driverless.state, driverless.remedy) == (State.FAILED, "pip install 'kascribe[postgresql]'")


def test_a_notifier_without_a_secret_is_told_how_to_make_one() -> None:
    """Its role does not start without."""
    rows = examined(load().settings, "notifier", areas=("webhooks",))
    assert rows["secret"].state is State.FAILED
    assert "kascribe webhooks secret" in rows["secret"].remedy
    assert rows["targets"].state is State.WARNING
