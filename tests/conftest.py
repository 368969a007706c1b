"""What several folders of tests share."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

pytest_plugins = ["tests.integration.vllm_server", "tests.suite.workers", "tests.support.real_models"]

# How long an example takes is the machine's affair; what hangs ends by pytest's own timeout.
settings.register_profile("kascribe", deadline=None)
settings.load_profile("kascribe")


@pytest.fixture(autouse=True)
def _own_log_configuration() -> Iterator[None]:
    """Give the next test the log configuration that this one found: commands that run in process set their own."""
    before = structlog.get_config() if structlog.is_configured() else None
    yield
    if before is None:
        structlog.reset_defaults()
    else:
        structlog.configure(**before)
