"""Finding models on disk, without any network."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from faster_whisper import utils

from models.store import SELFTEST, Manifest, ModelStore
from models.store.directory import check
from models.store.names import REPOSITORIES
from models.store.store import default_directory
from schemas.errors import ModelNotFound, StoreError

FILES = {"model.bin": b"weights", "config.json": b"{}", "tokenizer.json": b"{}", "vocabulary.json": b"[]"}


def model_at(directory: Path, **changes: bytes | None) -> Path:
    """Make a directory like a model's, with some files changed or (None) omitted."""
    directory.mkdir(parents=True)
    for name, content in (FILES | {name.replace("_", "."): content for name, content in changes.items()}).items():
        if content is not None:
            (directory / name).write_bytes(content)
    return directory


def store_at(directory: Path) -> ModelStore:
    """Return a store without a hub."""
    return ModelStore(directory, hub=None)


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    """Any directory that looks like a model is one."""
    model = model_at(tmp_path / "anywhere")
    assert store_at(tmp_path / "store").resolve(str(model)) == model


def test_a_relative_directory_is_found_unless_a_known_name_means_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mine is ./mine; tiny is always the model tiny, and ./tiny the directory."""
    monkeypatch.chdir(tmp_path)
    model_at(tmp_path / "mine")
    model_at(tmp_path / "tiny")
    store = store_at(tmp_path / "store")
    assert store.path("mine") == Path("mine")
    assert store.path("./tiny") == Path("tiny")
    with pytest.raises(ModelNotFound):
        store.path("tiny")


def test_a_directory_that_was_copied_into_the_store_is_found_by_its_name(tmp_path: Path) -> None:
    """Air-gapped machines get their models by copying; a manifest is not demanded, only wanted by verify."""
    copied = model_at(tmp_path / "Systran--faster-whisper-tiny")
    store = store_at(tmp_path)
    assert store.path("tiny") == copied
    assert [model.name for model in store.list()] == ["Systran--faster-whisper-tiny"]
    with pytest.raises(StoreError, match="no manifest"):
        store.verify("tiny")


@pytest.mark.parametrize("name", ["../outside", ".partial", "", "a/../../outside"])
def test_no_name_leads_out_of_the_store(tmp_path: Path, name: str) -> None:
    """Removal by a crafted name removes nothing."""
    outside = model_at(tmp_path / "outside")
    model_at(tmp_path / "store" / ".partial")
    with pytest.raises(ModelNotFound):
        store_at(tmp_path / "store").remove(name)
    assert outside.is_dir()
    assert (tmp_path / "store" / ".partial").is_dir()


def test_selftest_never_answers_for_a_real_model(tmp_path: Path) -> None:
    """A missing model is an error, however near the selftest model lies; and no store entry hides selftest."""
    imposter = model_at(tmp_path / SELFTEST)
    store = store_at(tmp_path)
    for name in ("large-v3-turbo", "tiny", "org/selftest", "self-test"):
        with pytest.raises(ModelNotFound):
            store.resolve(name, offline=True)
    # Its weights may not be part of this checkout.
    with contextlib.suppress(ModelNotFound):
        assert store.path(SELFTEST) != imposter


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    """The sentence says what the name could have been."""
    with pytest.raises(ModelNotFound) as caught:
        store_at(tmp_path).path("large-v3-turboo")
    assert str(caught.value) == (
        "large-v3-turboo is neither a model's name, nor org/repo, nor a directory: did you mean large-v3-turbo?"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_bin": None}, "it has no model.bin"),
        ({"tokenizer_json": None, "vocabulary_json": None}, r"it has no tokenizer.json, vocabulary\.\*"),
        ({"model_bin": b""}, "is empty"),
        ({"model_bin": b"version https://git-lfs.github.com/spec/v1\n"}, "git lfs pull"),
        ({"config_json": b"{"}, "not valid JSON"),
    ],
)
def test_a_directory_that_is_no_model_is_told_apart(
    tmp_path: Path, changes: dict[str, bytes | None], message: str
) -> None:
    """Missing and broken files are named before CTranslate2 sees them."""
    with pytest.raises(StoreError, match=message):
        check(model_at(tmp_path / "model", **changes))


def test_the_default_directory_is_in_the_users_cache() -> None:
    """XDG_CACHE_HOME is honoured."""
    assert default_directory({"XDG_CACHE_HOME": "/cache"}) == Path("/cache/kascribe/models")
    assert default_directory({}).parts[-3:] == (".cache", "kascribe", "models")


def test_our_names_mean_what_they_mean_to_faster_whisper() -> None:
    """Every short name that faster-whisper knows leads to the same repository here."""
    assert utils._MODELS == REPOSITORIES


def test_a_model_in_use_is_called_what_people_know_it_by(tmp_path: Path) -> None:
    """By its repository where it was pulled, by its directory where it was not; a path alone says nothing."""
    store = store_at(tmp_path / "store")
    pulled = model_at(tmp_path / "asr")
    Manifest(
        repository=REPOSITORIES["turbo"],
        revision="r",
        source="s",
        pulled_at=datetime(2026, 1, 1, tzinfo=UTC),
        files=(),
    ).write(pulled)
    known = ("large-v3-turbo", "turbo", REPOSITORIES["turbo"])
    assert store.names_in_use(str(pulled), pulled) == (*known, "asr", str(pulled))
    assert store.names_in_use("turbo", pulled) == ("turbo", "large-v3-turbo", REPOSITORIES["turbo"])
    copied = model_at(tmp_path / "my-model")
    assert store.names_in_use(str(copied), copied) == ("my-model", str(copied))
    assert store.names_in_use(SELFTEST, store.path(SELFTEST)) == (SELFTEST,)
