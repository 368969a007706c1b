"""Helm, kubeconform and schemas, built once; and the chart that they render."""

from contextlib import suppress

import pytest

from deploy.helm.tools import missing_tools, prepare
from deploy.stack import StackError, default_cache
from tests.contract.installation.chart.rendering import Chart
from tests.support.listening import missing


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the tools, if that is still to do, before the clock of any test runs."""
    wanted = any("chart" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly and not missing_tools():
        with suppress(StackError):  # the fixture raises it again, for the tests that need it
            prepare(default_cache())


@pytest.fixture(scope="session")
def chart() -> Chart:
    """Return the chart; skip where its tools cannot be built, and fail there in CI."""
    if lacking := missing_tools():
        missing("; ".join(lacking))
    return Chart(prepare(default_cache()))
