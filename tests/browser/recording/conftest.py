"""One system for all tests of recordings: finished ones on a shelf, a listener for others, and an enricher."""

from collections.abc import Iterator

import pytest

from tests.browser.recording.shelf import Shelf
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.flow.gateway import Gateway, GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.sound.wav_listener import PacedListener
from tests.support.object_store import running_object_store


@pytest.fixture(scope="package")
def double() -> Iterator[VllmDouble]:
    """Start a language model server."""
    with running(VllmDouble(context_tokens=4_096)) as server:
        yield server


@pytest.fixture(scope="package")
def system(double: VllmDouble) -> Iterator[GatewayBench]:
    """Open a broker, a bucket and both stages."""
    with (
        running_object_store() as store,
        MockCluster() as broker,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        opened.engine = PacedListener()
        opened.start_transcriber()
        opened.start_enricher(double.base_url)
        yield opened


@pytest.fixture(scope="package")
def gateway(system: GatewayBench) -> Gateway:
    """Start a gateway that needs no key."""
    return system.gateway()


@pytest.fixture(scope="package")
def shelf(system: GatewayBench) -> Shelf:
    """Return the shelf for finished recordings."""
    return Shelf(system.settings.s3, system.client)
