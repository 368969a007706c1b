"""The embedded broker, for every flow test."""

from collections.abc import Iterator

import pytest

from tests.flow.mock_cluster import MockCluster


@pytest.fixture
def broker() -> Iterator[MockCluster]:
    """Run a Kafka broker in this process: ``broker.bootstrap_servers``, ``broker.create_topic(name)``.

    Missing topics are created with four partitions when a client produces to them; consumers do not create them.
    """
    with MockCluster() as cluster:
        yield cluster
