"""``kascribe models`` as a person types it, against the hub on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kascribe.commands.installation.models import app
from schemas.errors import StoreError
from tests.contract.store.hub import LoopbackHub

FILES = {
    "model.bin": b"weights" * 1_000,
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "vocabulary.json": b"[]",
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """Yield a hub that this process's environment points to, and an empty store."""
    monkeypatch.chdir(tmp_path)
    with LoopbackHub({"Systran/faster-whisper-tiny": dict(FILES)}).running() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        monkeypatch.setenv("HF_TOKEN", "any")
        monkeypatch.setenv("KASCRIBE_WHISPER_MODELS_DIRECTORY", str(tmp_path / "models"))
        yield running


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and standard output."""
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_a_model_is_pulled_listed_found_verified_and_removed(hub: LoopbackHub, tmp_path: Path) -> None:
    """The five commands, in the order of a model's life."""
    directory = tmp_path / "models" / "Systran--faster-whisper-tiny"
    assert "no model is on this disk yet" in run("list")[1]
    assert "Systran/faster-whisper-tiny (tiny)" in run("pull", "tiny")[1]
    assert json.loads(run("list", "--json")[1])["path"] == str(directory)
    assert run("path", "tiny") == (0, f"{directory}\n")
    assert run("verify", "tiny") == (0, "tiny is what was pulled\n")
    (directory / "config.json").write_bytes(b"[]")
    code, output = run("verify", "tiny")
    assert code == 1
    assert output.startswith("config.json has other content than the manifest says\n")
    assert run("remove", "tiny") == (0, f"removed {directory}\n")
    assert not directory.exists()
    assert hub.leaked_tokens == 0


def test_being_offline_is_an_error_that_names_the_variable(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HF_HUB_OFFLINE is honoured by pull: no call, one sentence."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(StoreError, match="HF_HUB_OFFLINE"):
        run("pull", "tiny")
    assert hub.request_count == 0


def test_the_known_names_are_listed() -> None:
    """A user can look up the known names."""
    assert "large-v3-turbo\tmobiuslabsgmbh/faster-whisper-large-v3-turbo" in run("list", "--known")[1]
