"""Services behind gateways that are abused."""

from collections.abc import Iterator

import pytest

from tests.flow.gateway import GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import running_object_store


@pytest.fixture
def bench(broker: MockCluster) -> Iterator[GatewayBench]:
    """Run a broker and a bucket; gateways are added by tests."""
    with (
        running_object_store() as store,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        yield opened
