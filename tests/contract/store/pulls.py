"""A model to be pulled, the hub that has it, and a store that pulls: for tests of the model store."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.store import ModelStore
from models.store.hub import HuggingFaceHub
from schemas.errors import StoreError
from tests.contract.store.hub import LoopbackHub
from tests.support.clock import HandClock

WEIGHTS = random.Random(7).randbytes(300_000)
MODEL = {
    "model.bin": WEIGHTS,
    "config.json": b"{}",
    "tokenizer.json": b'{"model": {}}',
    "vocabulary.json": b"[]",
    "README.md": b"not ours to keep",
}
TINY = "Systran/faster-whisper-tiny"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@contextmanager
def running_hub() -> Iterator[LoopbackHub]:
    """Yield a hub with one model and one repository that is no CTranslate2 conversion."""
    original = {"model.safetensors": b"x", "config.json": b"{}", "tokenizer.json": b"{}"}
    with LoopbackHub({TINY: dict(MODEL), "openai/whisper-tiny": original}).running() as running:
        yield running


def store_of(directory: Path, hub: LoopbackHub, *, token: str | None = None) -> ModelStore:
    """Return a store that never waits between attempts."""
    client = HuggingFaceHub(hub.endpoint, token=token, pause=lambda _seconds: None)
    clock = HandClock()
    clock.seconds = NOW.timestamp()
    return ModelStore(directory, hub=client, clock=clock)


def refusal(store: ModelStore, name: str = "tiny", *, revision: str | None = None) -> str:
    """Return the error of a pull that fails; the store must be empty afterwards."""
    with pytest.raises(StoreError) as caught:
        store.pull(name, revision=revision)
    assert store.list() == ()
    return str(caught.value)
