"""The double keeps the promises of the real history."""

import pytest

from tests.contract.jobs.history_suite import HistorySuite, Log
from tests.contract.jobs.listed_history import ListedLog


class TestListedHistory(HistorySuite):
    """The history in memory that unit tests use."""

    @pytest.fixture
    def log(self) -> Log:
        """Return an empty log."""
        return ListedLog()
