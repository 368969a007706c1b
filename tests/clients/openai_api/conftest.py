"""A gateway with a transcriber behind it, on an embedded broker and a bucket."""

from collections.abc import Iterator

import openai
import pytest

from tests.flow.gateway import Gateway, GatewayBench, gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.sound.wav_listener import PacedListener
from tests.support.object_store import running_object_store


@pytest.fixture(scope="module")
def bench() -> Iterator[GatewayBench]:
    """Open a bench with a transcriber that recognises how long a file is."""
    with (
        MockCluster() as broker,
        running_object_store() as store,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as opened,
    ):
        opened.engine = PacedListener()
        opened.start_transcriber()
        yield opened


@pytest.fixture
def engine(bench: GatewayBench) -> Iterator[PacedListener]:
    """Return the transcriber's engine; the test sets its pace, and it flows again afterwards."""
    assert isinstance(bench.engine, PacedListener)
    yield bench.engine
    bench.engine.breaks_with = None
    bench.engine.flows.set()
    bench.engine.gate.set()


@pytest.fixture(scope="module")
def gateway(bench: GatewayBench) -> Gateway:
    """Start a gateway that knows a model by a name of its own."""
    return bench.gateway(models=("whisper-1", "listener=wav-listener"))


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    """Open OpenAI's client. It never sends a request again, so that failures are seen as they are."""
    address = f"http://127.0.0.1:{gateway.port}/v1"
    with openai.OpenAI(base_url=address, api_key="unused", max_retries=0) as opened:
        yield opened
