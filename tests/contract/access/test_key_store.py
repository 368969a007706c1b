"""The stores of keys and usage, on an S3 server in this process."""

import pytest

from tests.contract.access.key_suite import KeySuite
from tests.support.object_store import ObjectStore


class TestKeysOnMoto(KeySuite):
    @pytest.fixture
    def store(self, moto_store: ObjectStore) -> ObjectStore:
        """Return the server of the session."""
        return moto_store
