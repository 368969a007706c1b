"""What tests of several commands share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from producers.results import ResultStore
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.flow.commands.enrich_system import EnrichSystem
from tests.flow.gateway import gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import MOTO_CREDENTIALS, ObjectStore, running_object_store


@pytest.fixture(autouse=True)
def logs_beside_the_output() -> Iterator[None]:
    """Log to the process's standard error: threads of earlier tests may log while a command's output is read."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    structlog.configure(**before)


@pytest.fixture(scope="module")
def moto_store() -> Iterator[ObjectStore]:
    """Run an S3 server in this process."""
    with running_object_store() as store:
        yield store


@pytest.fixture
def enrich_system(
    broker: MockCluster, moto_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[EnrichSystem]:
    """Start an enricher before a language model double, and name the servers in the environment."""
    s3 = moto_store.settings()
    monkeypatch.chdir(tmp_path)
    for name, value in MOTO_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KASCRIBE_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("KASCRIBE_KAFKA_LOG_LEVEL", "0")
    monkeypatch.setenv("KASCRIBE_S3_ENDPOINT_URL", moto_store.endpoint_url)
    monkeypatch.setenv("KASCRIBE_S3_BUCKET", s3.bucket)
    with (
        running(VllmDouble(context_tokens=4_096)) as double,
        gateway_bench(broker.bootstrap_servers, s3, moto_store.client) as bench,
    ):
        bench.start_enricher(double.base_url)
        yield EnrichSystem(bench, ResultStore(s3, client=moto_store.client), double, broker)
