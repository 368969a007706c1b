"""A system with an archive and API keys, for the tests of one module."""

from collections.abc import Iterator

import pytest

from tests.flow.front_doors.archive.archiving import running_archive, with_archive
from tests.flow.gateway import Gateway, GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import ObjectStore, running_object_store


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Run one S3 server for the module."""
    with running_object_store() as running:
        yield running


@pytest.fixture(scope="module")
def bench(store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayBench]:
    """Open a broker, a bucket, a transcriber and an archive; the tests start gateways."""
    with (
        MockCluster() as broker,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        opened.settings = with_archive(opened.settings, tmp_path_factory.mktemp("archive"))
        with running_archive(opened.settings, store.client):
            opened.start_transcriber()
            yield opened


@pytest.fixture(scope="module")
def gateway(bench: GatewayBench) -> Gateway:
    """Start a gateway that requires keys."""
    return bench.gateway(keys="required")


@pytest.fixture(scope="module")
def beside(bench: GatewayBench) -> Gateway:
    """Start another gateway on the same archive."""
    return bench.gateway(keys="required")


@pytest.fixture(scope="module")
def open_gateway(bench: GatewayBench) -> Gateway:
    """Start a gateway without keys."""
    return bench.gateway()
