"""Pulling models from a hub on loopback, with everything that goes wrong on the way."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download

from models.store import ModelStore, Transfer
from models.store.hub import ATTEMPTS_WITHOUT_PROGRESS, HuggingFaceHub
from schemas.errors import ModelNotFound, StoreError
from schemas.settings import WhisperSettings
from tests.contract.store.hub import CONTENT_PATH, LoopbackHub, commit_of
from tests.contract.store.pulls import MODEL, NOW, TINY, WEIGHTS, refusal, running_hub, store_of
from tests.support.waiting import eventually

PARTIAL = Path(".partial") / f"Systran--faster-whisper-tiny@{commit_of(MODEL)}"
PULL_PROGRAM = """
import os, pathlib, sys
from models.store import ModelStore
from models.store.hub import HuggingFaceHub
ModelStore(pathlib.Path(sys.argv[1]), hub=HuggingFaceHub.from_environment(os.environ)).pull("tiny")
"""


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """Yield a hub with one model and one repository that is no CTranslate2 conversion."""
    with running_hub() as running:
        yield running


def test_the_loopback_hub_is_a_hub(hub: LoopbackHub, tmp_path: Path) -> None:
    """huggingface_hub's own downloader gets the same bytes from the double as our store does."""
    for path, content in MODEL.items():
        found = hf_hub_download(TINY, path, endpoint=hub.endpoint, local_dir=tmp_path, token=False)
        assert Path(found).read_bytes() == content


def test_a_pulled_model_is_whole_and_found_by_each_of_its_names(hub: LoopbackHub, tmp_path: Path) -> None:
    """Short name and org/repo find one directory with the files of the model, a manifest and nothing else."""
    store = store_of(tmp_path, hub)
    seen: list[Transfer] = []
    pulled = store.pull("tiny", progress=seen.append)
    names = {path.name for path in pulled.path.iterdir()}
    assert names == {*MODEL, "kascribe-manifest.json"} - {"README.md"}
    assert (pulled.path / "model.bin").read_bytes() == WEIGHTS
    assert store.path("tiny") == store.path(TINY) == store.resolve("tiny") == pulled.path
    assert store.list() == (pulled,)
    assert pulled.manifest is not None
    assert pulled.manifest.revision == commit_of(MODEL)
    assert pulled.manifest.pulled_at == NOW
    digests = {file.path: file.sha256 for file in pulled.manifest.files}
    assert digests["model.bin"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert seen[-1].done_bytes == seen[-1].total_bytes == pulled.manifest.size_bytes
    assert [each.done_bytes for each in seen] == sorted(each.done_bytes for each in seen)


def test_resolving_a_name_pulls_it_once(hub: LoopbackHub, tmp_path: Path) -> None:
    """The first request for a model fetches it; the next makes no call at all."""
    store = store_of(tmp_path, hub)
    assert store.resolve("tiny") == store.path("tiny")
    calls = hub.request_count
    store.resolve("tiny")
    assert hub.request_count == calls


def test_a_pull_of_what_is_here_fetches_nothing(hub: LoopbackHub, tmp_path: Path) -> None:
    """The second pull asks which commit is current and leaves it at that."""
    store = store_of(tmp_path, hub)
    first = store.pull("tiny")
    content_requests = hub.requests[f"{CONTENT_PATH}{TINY}@model.bin"]
    assert store.pull("tiny") == first
    assert hub.requests[f"{CONTENT_PATH}{TINY}@model.bin"] == content_requests


def test_a_newer_commit_replaces_the_model(hub: LoopbackHub, tmp_path: Path) -> None:
    """After the repository moved on, a pull brings the new files and leaves none of the old."""
    store = store_of(tmp_path, hub)
    store.pull("tiny")
    hub.repositories[TINY]["model.bin"] = WEIGHTS[::-1]
    pulled = store.pull("tiny")
    assert (pulled.path / "model.bin").read_bytes() == WEIGHTS[::-1]
    assert [path.name for path in (tmp_path / ".partial").iterdir()] == []
    assert list(tmp_path.glob(".removed*")) == []


def test_a_cut_connection_is_resumed_where_it_broke(hub: LoopbackHub, tmp_path: Path) -> None:
    """Every byte is asked for once: the next request starts after the last byte that arrived."""
    hub.cut_after_bytes = [100_000, 50_000]
    pulled = store_of(tmp_path, hub).pull("tiny")
    assert (pulled.path / "model.bin").read_bytes() == WEIGHTS
    assert [start for start in hub.ranges if start] == [100_000, 150_000]


def test_a_connection_that_is_cut_for_ever_ends_the_pull_and_keeps_what_came(
    hub: LoopbackHub, tmp_path: Path
) -> None:
    """Attempts that bring nothing are bounded; the next pull goes on after the bytes that are here."""
    store = store_of(tmp_path, hub)
    hub.cut_after_bytes = [100_000] + [0] * (ATTEMPTS_WITHOUT_PROGRESS + 1)
    assert "cannot be reached" in refusal(store)
    assert hub.cut_after_bytes == []
    hub.ranges.clear()
    store.pull("tiny")
    assert hub.ranges[0] == 100_000


def test_a_busy_hub_is_asked_again(hub: LoopbackHub, tmp_path: Path) -> None:
    """An answer of 503 in the middle of a pull costs a pause, not the pull."""
    store = store_of(tmp_path, hub)
    client = HuggingFaceHub(hub.endpoint, pause=lambda _seconds: None)
    repository = client.repository(TINY)
    hub.statuses = [503, 503]
    file = next(file for file in repository.files if file.path == "model.bin")
    client.fetch(repository, file, tmp_path / "model.bin", lambda _bytes: None)
    assert (tmp_path / "model.bin").read_bytes() == WEIGHTS
    hub.statuses = [500]
    assert "answered 500" in refusal(store)


def test_the_token_opens_a_private_model_and_stays_with_the_hub(hub: LoopbackHub, tmp_path: Path) -> None:
    """The hub gets the token; the host that it redirects large files to does not."""
    hub.token = "right"
    store_of(tmp_path, hub, token="right").pull("tiny")
    assert hub.leaked_tokens == 0


def test_a_wrong_token_is_named(hub: LoopbackHub, tmp_path: Path) -> None:
    """401 with a token says which variable to check."""
    hub.token = "right"
    message = refusal(store_of(tmp_path, hub, token="wrong"))
    assert message.startswith(f"{hub.endpoint} refused the token for {TINY} (401): check HF_TOKEN")
    assert "wrong," in message
    assert '"wrong"' not in message


def test_a_forbidden_model_is_told(hub: LoopbackHub, tmp_path: Path) -> None:
    """403 with a token is the token's fault, without one a reason to set it."""
    hub.statuses = [403]
    assert "refused the token" in refusal(store_of(tmp_path, hub, token="narrow"))
    hub.statuses = [403]
    assert "requires a token" in refusal(store_of(tmp_path, hub))


def test_an_unknown_repository_and_revision_are_told(hub: LoopbackHub, tmp_path: Path) -> None:
    """A name that the hub does not know is said to be so, with what else it could be."""
    store = store_of(tmp_path, hub)
    assert "has no model org/nothing, or it is private" in refusal(store, "org/nothing")
    assert refusal(store, revision="v9").startswith(f"{TINY} has no revision v9")
    assert refusal(store, "tinny") == "tinny is neither a model's name nor org/repo: did you mean tiny?"


def test_a_repository_of_another_kind_is_refused_before_anything_is_fetched(
    hub: LoopbackHub, tmp_path: Path
) -> None:
    """OpenAI's own repositories are not CTranslate2 conversions: the missing files are named."""
    message = refusal(store_of(tmp_path, hub), "openai/whisper-tiny")
    assert "not a CTranslate2 Whisper model: it has no model.bin, vocabulary.*" in message
    assert hub.request_count == 1


def test_a_wrong_checksum_is_refused_and_the_file_removed(hub: LoopbackHub, tmp_path: Path) -> None:
    """Large files are checked by sha256, small ones by git's id; a repaired hub is pulled from afresh."""
    store = store_of(tmp_path, hub)
    for path in ("model.bin", "config.json"):
        hub.corrupted = {path}
        assert f"{path} of {TINY} arrived with the checksum" in refusal(store)
    hub.corrupted = set()
    assert (store.pull("tiny").path / "model.bin").read_bytes() == WEIGHTS


def test_offline_makes_no_call(hub: LoopbackHub, tmp_path: Path) -> None:
    """Neither a store without a hub nor an offline request uses the network, and both errors say what to do."""
    settings = WhisperSettings(offline=True, models_directory=tmp_path)
    store = ModelStore.from_settings(settings, {"HF_ENDPOINT": hub.endpoint})
    with pytest.raises(ModelNotFound, match=r"set to offline: run `kascribe models pull tiny` on a machine"):
        store.resolve("tiny")
    with pytest.raises(StoreError, match="KASCRIBE_WHISPER_OFFLINE"):
        store.pull("tiny")
    with pytest.raises(ModelNotFound):
        store_of(tmp_path, hub).resolve("tiny", offline=True)
    assert hub.request_count == 0


def test_a_hub_that_is_not_there_is_told(tmp_path: Path) -> None:
    """No connection: the address, the variable, and the way without a network."""
    store = ModelStore(tmp_path, hub=HuggingFaceHub("http://127.0.0.1:9", pause=lambda _seconds: None))
    assert "http://127.0.0.1:9 cannot be reached" in refusal(store)


def test_a_full_disk_is_told_before_it_is_full(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The space is compared with the model's size first."""
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Usage())
    message = refusal(store_of(tmp_path, hub))
    assert "GiB more in" in message
    assert "KASCRIBE_WHISPER_MODELS_DIRECTORY" in message


def test_a_disk_that_refuses_is_told(hub: LoopbackHub, tmp_path: Path) -> None:
    """Whatever the pull was writing, it ends with a sentence."""
    (tmp_path / PARTIAL / "kascribe-manifest.json").mkdir(parents=True)
    assert "cannot be written (Is a directory)" in refusal(store_of(tmp_path, hub))


class _Usage:
    free = 1_000


def test_verify_finds_what_changed(hub: LoopbackHub, tmp_path: Path) -> None:
    """Verification reads every byte: a flipped one, a missing file and a short one are each told."""
    store = store_of(tmp_path, hub)
    path = store.pull("tiny").path
    assert store.verify("tiny") == ()
    (path / "model.bin").write_bytes(WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1]))
    (path / "config.json").write_bytes(b"{ }")
    assert store.verify("tiny") == (
        "model.bin has other content than the manifest says",
        "config.json has 3 bytes; the manifest says 2",
    )


def test_a_removed_model_is_gone(hub: LoopbackHub, tmp_path: Path) -> None:
    """Removal takes the whole directory; a second one says that it is not there."""
    store = store_of(tmp_path, hub)
    path = store.pull("tiny").path
    assert store.remove("tiny") == path
    assert not path.exists()
    with pytest.raises(ModelNotFound, match="kascribe models list"):
        store.remove("tiny")


def test_a_killed_pull_leaves_nothing_to_be_found_and_is_continued(hub: LoopbackHub, tmp_path: Path) -> None:
    """Kill -9 in the middle: no model is found, and the next pull asks only for the rest."""
    hub.gate = threading.Event()
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "any"}
    puller = subprocess.Popen([sys.executable, "-c", PULL_PROGRAM, str(tmp_path)], env=environment)
    half = len(WEIGHTS) // 2
    part = tmp_path / PARTIAL / "model.bin.part"
    eventually(lambda: part.exists() and part.stat().st_size >= half - 65_536, timeout_seconds=60)
    puller.send_signal(signal.SIGKILL)
    puller.wait(timeout=30)
    store = store_of(tmp_path, hub)
    assert store.list() == ()
    with pytest.raises(ModelNotFound):
        store.path("tiny")
    hub.gate.set()
    hub.ranges.clear()
    assert (store.pull("tiny").path / "model.bin").read_bytes() == WEIGHTS
    assert hub.ranges[0] > 0


def test_two_pulls_of_one_model_fetch_it_once(hub: LoopbackHub, tmp_path: Path) -> None:
    """The second waits for the first and then finds the model there."""
    hub.gate = threading.Event()
    pulls = [threading.Thread(target=store_of(tmp_path, hub).pull, args=("tiny",)) for _ in range(2)]
    for pull in pulls:
        pull.start()
    content = f"{CONTENT_PATH}{TINY}@model.bin"
    eventually(lambda: hub.requests[content], timeout_seconds=30)
    hub.gate.set()
    for pull in pulls:
        pull.join(timeout=60)
    assert hub.requests[content] == 1
    assert (store_of(tmp_path, hub).path("tiny") / "model.bin").read_bytes() == WEIGHTS
