"""Which worker of pytest-xdist runs a test, when there are several: `pytest -n 2`.

Most tests wait rather than compute.
"""

from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

SERVERS: Final = (
    "tests/benchmarks/",
    "tests/browser/",
    "tests/chaos/",
    "tests/clients/",
    "tests/contract/enricher/",
    "tests/contract/vllm/",
    "tests/demo/",
    "tests/integration/",
)
"""Folders of tests that start large servers, browsers or compilers: one worker runs them all, in order, so that
each server starts once and two never run at a time."""


def scope_of(test: str) -> str:
    """Return what the test is run with: tests of one scope run in order, on one worker."""
    return "servers" if test.startswith(SERVERS) else test.partition("::")[0]


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc] # untyped
    """Distribution by file, except for what needs servers."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Replace the scheduler of pytest-xdist, whichever `--dist` names."""
    return FileScheduling(config, log)
