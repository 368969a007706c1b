"""The real stack for integration tests: skipped where its tools are missing, except in CI, where that fails."""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from deploy.collector.building import collector_program
from deploy.stack import Stack, StackError, default_cache, missing_tools, prepare
from tests.integration.stack import PrivateStack


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the servers, if that is still to do, before the clock of any test runs."""
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if session.config.option.collectonly or missing_tools(default_cache()):
        return
    with suppress(StackError):  # the fixtures raise it again, for the tests that need them
        if wanted & {"stack", "stack_tools"}:
            prepare(default_cache())
        if "collector" in wanted:
            collector_program(default_cache())


@pytest.fixture(scope="session")
def stack_tools() -> None:
    """Skip tests that need the real servers where these cannot be built; fail them in CI."""
    missing = missing_tools(default_cache())
    if not missing:
        return
    message = "the local stack needs, on PATH: " + "; ".join(missing)
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStack]:
    """Run one private broker and object store for the whole session; the built programs are shared and kept."""
    request.getfixturevalue("stack_tools")
    servers = Stack.up(tmp_path_factory.mktemp("stack"), topics=())
    s3 = servers.s3()
    try:
        yield PrivateStack(servers, s3)
    finally:
        s3.close()
        servers.down(purge=True)
