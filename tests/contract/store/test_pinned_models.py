"""A model is pinned to a commit, and tokens for it travel with TLS only."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.store import ModelStore
from models.store.hub import HuggingFaceHub
from schemas.errors import StoreError
from tests.contract.store.hub import LoopbackHub, commit_of
from tests.contract.store.pulls import MODEL, TINY, refusal, running_hub, store_of

OTHER_COMMIT = "0" * 39 + "1"


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """Run a hub."""
    with running_hub() as running:
        yield running


def test_main_is_resolved_once_and_everything_is_fetched_at_that_commit(hub: LoopbackHub, tmp_path: Path) -> None:
    """A branch that moves during a pull changes nothing: each file's address names the commit, and so does the
    manifest."""
    pulled = store_of(tmp_path, hub).pull("tiny")
    assert pulled.manifest is not None
    assert pulled.manifest.revision == commit_of(MODEL)
    fetched = [path for path in hub.requests if "/resolve/" in path]
    assert len(fetched) == len(pulled.manifest.files)
    assert all(f"/resolve/{commit_of(MODEL)}/" in path for path in fetched)


def test_a_commit_that_was_asked_for_is_the_one_that_comes(hub: LoopbackHub, tmp_path: Path) -> None:
    """A mirror that answers with another one is refused before any file."""
    hub.listing = json.dumps({"id": TINY, "modelId": TINY, "sha": OTHER_COMMIT, "siblings": []}).encode()
    said = refusal(store_of(tmp_path, hub), revision=commit_of(MODEL))
    assert f"answered with commit {OTHER_COMMIT} of {TINY}, not {commit_of(MODEL)}" in said
    assert "HF_ENDPOINT" in said
    hub.listing = None
    pulled = store_of(tmp_path, hub).pull("tiny", revision=commit_of(MODEL))
    assert pulled.manifest is not None
    assert pulled.manifest.revision == commit_of(MODEL)


def test_a_token_is_not_sent_without_tls(tmp_path: Path) -> None:
    """No name is looked up and no connection made: the refusal comes first, and does not repeat the token."""
    hub = HuggingFaceHub("http://hub.example", token="hidden")
    with pytest.raises(StoreError, match=r"HF_TOKEN would be sent to http://hub\.example without TLS") as raised:
        ModelStore(tmp_path, hub=hub).pull("tiny")
    assert "hidden" not in str(raised.value)
    assert "https" in str(raised.value)


def test_a_log_in_is_not_sent_to_a_mirror_without_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What `hf auth login` left on this machine is for the hub; a mirror that needs no token works beside it."""
    (tmp_path / "token").write_text("hidden", encoding="utf-8")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    assert HuggingFaceHub.from_environment({})._token == "hidden"
    assert HuggingFaceHub.from_environment({"HF_ENDPOINT": "http://127.0.0.1:9"})._token == "hidden"
    assert HuggingFaceHub.from_environment({"HF_ENDPOINT": "http://hub.example"})._token is None
    assert (
        HuggingFaceHub.from_environment({"HF_ENDPOINT": "http://hub.example", "HF_TOKEN": "own"})._token == "own"
    )
