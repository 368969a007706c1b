"""Fixtures with real weights: Whisper base, and a vLLM server with SmolLM2. Fetched once into the cache.

Where they cannot be had, tests are skipped, and fail in CI.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

import pytest

from deploy.real_models import LANGUAGE_MODEL_NAME, RealModelUnavailable, fetch_language_model, fetch_whisper
from deploy.stack.cache import default_cache
from deploy.vllm.errors import VllmUnavailable
from deploy.vllm.server import ServedModel, VllmServer, down, find_server, is_healthy, up
from models.whisper.transcriber import Transcriber
from schemas.settings import WhisperSettings

REAL_CONTEXT_TOKENS: Final = 4_096
START_TIMEOUT_SECONDS: Final = 1_800
"""Limit of the first test that needs the server: it may install vLLM and convert the model first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Extend the timeout of tests that need the server: one of them also waits until that has started."""
    for item in items:
        if "real_vllm" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(START_TIMEOUT_SECONDS))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch what the selected tests need before the clock of any test runs."""
    if session.config.option.collectonly:
        return
    needed = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    with suppress(RealModelUnavailable):  # the fixtures raise it again, for the tests that need them
        if "real_whisper" in needed:
            fetch_whisper(default_cache())
        if "real_vllm" in needed:
            fetch_language_model(default_cache())


@pytest.fixture(scope="session")
def real_whisper() -> Path:
    """Return the CTranslate2 directory of Whisper base."""
    try:
        return fetch_whisper(default_cache())
    except RealModelUnavailable as unavailable:
        _skip_or_fail(unavailable)


@pytest.fixture(scope="session")
def real_transcriber(real_whisper: Path) -> Iterator[Transcriber]:
    """Load Whisper base once, int8 on the CPU, for all tests that only transcribe with it."""
    settings = WhisperSettings(device="cpu", compute_type="int8")
    transcriber = Transcriber(settings, real_whisper, "base")
    transcriber.load()
    yield transcriber
    transcriber.close()


@pytest.fixture(scope="session")
def real_vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """Run a server with SmolLM2: the one that ``make vllm REAL=1`` left running, else a new one."""
    cache = default_cache()
    known = find_server(cache / "vllm" / "real-server")
    if known and known.model == LANGUAGE_MODEL_NAME and is_healthy(known):
        yield known
        return
    state = tmp_path_factory.mktemp("real-vllm")
    try:
        model = ServedModel(fetch_language_model(cache), LANGUAGE_MODEL_NAME)
        server = up(cache=cache, state=state, context_tokens=REAL_CONTEXT_TOKENS, model=model)
    except (RealModelUnavailable, VllmUnavailable) as unavailable:
        _skip_or_fail(unavailable)
    try:
        yield server
    finally:
        down(state)


def _skip_or_fail(unavailable: Exception) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(str(unavailable))
    pytest.skip(str(unavailable))
