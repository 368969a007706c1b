"""A broker and a bucket, with the transcriber behind them."""

from collections.abc import Iterator

import pytest

from tests.flow.gateway import GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import ObjectStore, running_object_store


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Run one S3 server for the module; every test has its own bucket."""
    with running_object_store() as running:
        yield running


@pytest.fixture
def bench(broker: MockCluster, store: ObjectStore) -> Iterator[GatewayBench]:
    """Open a broker with topics and a bucket; the test starts consumers and gateways."""
    with gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened:
        yield opened
