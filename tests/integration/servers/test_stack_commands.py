"""The stack's command line, with a stack of its own that starts and stops."""

import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.stack import Stack, StackError
from deploy.stack.__main__ import main
from deploy.stack.processes import is_alive
from deploy.stack.state import State
from tests.integration.stack import PrivateStack

pytestmark = pytest.mark.usefixtures("stack_tools")


def accepts_connections(address: str) -> bool:
    """Return whether something listens at host:port."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_a_stack_comes_up_once_and_goes_down_without_a_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`up` twice starts one set of servers, `down` ends it; ports and credentials stay for the next time."""
    command = ["--state", str(tmp_path)]
    assert main([*command, "up", "--topics", "audio.references:2"]) == 0
    stack = Stack.at(tmp_path)
    try:
        assert "started kafka-1, minio" in capsys.readouterr().out
        assert main([*command, "up"]) == 0
        assert "already up and healthy" in capsys.readouterr().out
        assert stat.S_IMODE(stack.environment_file.stat().st_mode) == 0o600
        assert stack.environment["AWS_SECRET_ACCESS_KEY"] not in capsys.readouterr().out
        with pytest.raises(StackError, match="--brokers is 1, not 3"):
            Stack.up(tmp_path, brokers=3)
        processes = State(tmp_path).processes()
        addresses = [stack.bootstrap_servers, urlsplit(stack.environment["KASCRIBE_S3_ENDPOINT_URL"]).netloc]
        assert all(accepts_connections(address) for address in addresses)
    finally:
        assert main([*command, "down"]) == 0
    assert set(processes) == {"kafka-1", "minio"}
    assert not any(is_alive(process) for process in processes.values())
    assert not any(accepts_connections(address) for address in addresses)
    assert main([*command, "status"]) == 3
    assert Stack.at(tmp_path).environment == stack.environment
    assert main([*command, "down", "--purge"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_three_brokers_make_one_cluster_that_survives_the_loss_of_one(tmp_path: Path) -> None:
    """Topics are replicated: with one broker killed, records are still taken and read."""
    servers = Stack.up(tmp_path, brokers=3, topics=())
    try:
        s3 = servers.s3()
        stack = PrivateStack(servers, s3)
        topic = stack.new_topic(partitions=3)
        servers.kafka_kill(node_id=2)
        producer = stack.producer(**{"enable.idempotence": True})
        for partition in range(3):
            producer.produce(topic, b"kept", partition=partition)
        assert producer.flush(30) == 0
        assert len(stack.records(topic, lambda seen: len(seen) == 3)) == 3
        s3.close()
    finally:
        servers.down(purge=True)
