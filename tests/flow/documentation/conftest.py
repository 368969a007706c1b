"""A gateway with everything behind it, for tests of its documentation."""

from collections.abc import Iterator

import pytest

from tests.flow.gateway import GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import running_object_store


@pytest.fixture
def bench(broker: MockCluster) -> Iterator[GatewayBench]:
    """Open a broker with topics and a bucket; the test starts consumers and gateways."""
    with (
        running_object_store() as store,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        yield opened
