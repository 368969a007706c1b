"""A real vLLM server for tests: installed once into the cache, started for the session, ended with it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import pytest

from deploy.stack.cache import default_cache
from deploy.vllm.errors import VllmUnavailable
from deploy.vllm.installation import prepare
from deploy.vllm.server import VllmServer, down, find_server, is_healthy, up

CONTEXT_TOKENS: Final = 512
START_TIMEOUT_SECONDS: Final = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Extend the timeout of the first test that needs the server: it also waits until that has started."""
    for item in items:
        if _needs_server(item):
            item.add_marker(pytest.mark.timeout(START_TIMEOUT_SECONDS))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install the server, if that is still to do, before the clock of any test runs."""
    if any(map(_needs_server, session.items)) and not session.config.option.collectonly:
        with suppress(VllmUnavailable):  # the fixture raises it again, for the tests that need it
            prepare(default_cache())


def _needs_server(item: pytest.Item) -> bool:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return "vllm" in getattr(item, "fixturenames", ()) or parameters.get("url") == "real"


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """Run a server with a context of 512 tokens: the one that ``make vllm`` left running, if it fits, else a new
    one. Where there can be none, tests are skipped, and fail in CI."""
    cache = default_cache()
    known = find_server(cache / "vllm" / "server")
    if known and known.context_tokens == CONTEXT_TOKENS and is_healthy(known):
        yield known
        return
    state = tmp_path_factory.mktemp("vllm")
    try:
        server = up(cache=cache, state=state, context_tokens=CONTEXT_TOKENS)
    except VllmUnavailable as unavailable:
        if os.environ.get("CI") == "true":
            pytest.fail(str(unavailable))
        pytest.skip(str(unavailable))
    try:
        yield server
    finally:
        down(state)
