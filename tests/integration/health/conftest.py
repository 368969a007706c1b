"""Programs that checks of health need, built before the clock of any test runs."""

import shutil
from contextlib import suppress

import pytest

from deploy.helm.tools import missing_tools, prepare
from deploy.stack import StackError, default_cache
from tests.integration.health.check_programs import kafka_tools, mc


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the collected tests call, if that is still to do. The tests themselves report what fails."""
    if session.config.option.collectonly:
        return
    modules = {item.path.stem for item in session.items}
    with suppress(StackError):
        if "test_probes" in modules and not missing_tools():
            prepare(default_cache())
        if "test_compose_checks" in modules and shutil.which("go") and shutil.which("mvn"):
            mc()
            kafka_tools()
