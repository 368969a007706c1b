"""A system with API keys, for the tests of one module."""

from collections.abc import Iterator

import pytest

from tests.flow.gateway import GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import running_object_store


@pytest.fixture(scope="module")
def bench() -> Iterator[GatewayBench]:
    """Open a broker, a bucket and a transcriber; the tests start gateways."""
    with (
        running_object_store() as store,
        MockCluster() as broker,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        opened.start_transcriber()
        yield opened
