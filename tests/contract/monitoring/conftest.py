"""Prometheus's own checker: skipped where it is missing, except in CI, where that fails."""

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def promtool() -> str:
    """Return the path of promtool; skip tests that need it where there is none, and fail them in CI."""
    found = shutil.which("promtool")
    if found is not None:
        return found
    message = "promtool is not on PATH: install Debian's package prometheus"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
