"""What a hub, an address or a disk can do wrong besides cutting a connection."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from huggingface_hub.errors import HfHubHTTPError

from models.store import ModelStore
from models.store.hub import FOREIGN_ERRORS, HuggingFaceHub
from tests.contract.store.hub import CONTENT_PATH, LoopbackHub, commit_of
from tests.contract.store.pulls import MODEL, TINY, refusal, running_hub, store_of


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """Yield a hub with one model and one repository that is no CTranslate2 conversion."""
    with running_hub() as running:
        yield running


@pytest.mark.parametrize("address", ["http://host:port", "http://[host", "ftp://127.0.0.1", "host", "http://"])
def test_an_address_that_is_none_is_told(address: str, tmp_path: Path) -> None:
    """Whatever HF_ENDPOINT holds, the sentence names it, and `kascribe up` can settle for what is on disk."""
    store = ModelStore(tmp_path, hub=HuggingFaceHub(address, pause=lambda _seconds: None))
    message = refusal(store)
    assert message.startswith(f"{address.rstrip('/')} cannot be reached")
    assert "HF_ENDPOINT" in message


@pytest.mark.parametrize(
    "answer", [b"[]", b"null", b"<html>", b"{}", b'{"id": "a/b", "siblings": [1]}', b"[" * 9_000]
)
def test_an_answer_of_another_shape_is_told(answer: bytes, hub: LoopbackHub, tmp_path: Path) -> None:
    """A login page or a proxy's own JSON in the place of a listing."""
    hub.listing = answer
    assert f"{hub.endpoint} gave no usable answer for {TINY}" in refusal(store_of(tmp_path, hub))


def test_a_hub_that_sends_in_circles_or_packs_badly_is_told(hub: LoopbackHub, tmp_path: Path) -> None:
    """Neither passes by itself: one attempt, and a sentence."""
    store = store_of(tmp_path, hub)
    content = f"{CONTENT_PATH}{TINY}@model.bin"
    hub.content_headers = {"Content-Encoding": "gzip"}
    assert "DecodingError" in refusal(store)
    assert hub.requests[content] == 1
    hub.content_endpoint = f"{hub.endpoint}/{TINY}/resolve/{commit_of(MODEL)}/model.bin?"
    assert "TooManyRedirects" in refusal(store)
    hub.content_endpoint = "http://host:port"
    assert "Invalid port" in refusal(store)


def test_no_exception_of_the_http_library_is_unmapped() -> None:
    """Everything that httpx can raise has a root that the hub translates; we keep no cookies to be in conflict."""
    exceptions = [kind for kind in vars(httpx).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(exceptions) > 20
    assert [kind for kind in exceptions if not issubclass(kind, FOREIGN_ERRORS)] == [httpx.CookieConflict]
    assert issubclass(HfHubHTTPError, FOREIGN_ERRORS)


def test_one_damaged_manifest_does_not_hide_the_other_models(hub: LoopbackHub, tmp_path: Path) -> None:
    """The listing shows all of them, and what is wrong with the one."""
    store = store_of(tmp_path, hub)
    manifest = store.pull("tiny").path / "kascribe-manifest.json"
    manifest.write_text("", encoding="utf-8")
    (tmp_path / "copied").mkdir()
    damaged, copied = store.list()
    assert damaged.problem == f"{manifest} cannot be read: remove the model and pull it again"
    assert (copied.name, copied.problem) == ("copied", "")


def test_removals_at_the_same_time_do_not_meet(hub: LoopbackHub, tmp_path: Path) -> None:
    """Each takes away its own model, and what an earlier one left behind."""
    leftover = tmp_path / ".removed-earlier"
    leftover.mkdir()
    hub.repositories |= {f"org/{number}": dict(MODEL) for number in range(4)}
    store = store_of(tmp_path, hub)
    names = [store.pull(f"org/{number}").name for number in range(4)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(store.remove, names))
    assert store.list() == ()
    assert list(tmp_path.glob(".removed*")) == []
