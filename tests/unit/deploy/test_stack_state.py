"""What a stack keeps in its directory."""

import socket
import stat
from pathlib import Path

import pytest

from deploy.stack.errors import StackError
from deploy.stack.kafka import Topic, configuration, parse_topic
from deploy.stack.state import EPHEMERAL_PORT_MINIMUM, LOOPBACK, Plan, State, new_plan, refuse_taken_port
from schemas.settings.catalogue import by_environment_name


def a_plan(brokers: int = 1) -> Plan:
    """Make a plan on free ports."""
    return new_plan(
        brokers=brokers, kafka_port=None, minio_port=None, bucket="audio", notify_topic="audio.objects"
    )


def test_a_plan_is_found_again_as_it_was_kept(tmp_path: Path) -> None:
    """Ports and the cluster's id stay, so servers and clients find each other after a restart."""
    state, plan = State(tmp_path), a_plan(3)
    state.keep_plan(plan)
    assert state.plan() == plan


def test_ports_differ_from_each_other_and_from_ephemeral_ones() -> None:
    """A client that reconnects to a stopped server's port can never be given that port itself."""
    plan = a_plan(3)
    ports = [*(b.port for b in plan.brokers), *(b.controller_port for b in plan.brokers), plan.minio_port]
    assert len(set(ports)) == 7
    assert max(ports) < EPHEMERAL_PORT_MINIMUM
    for port in ports:
        with socket.socket() as listener:
            listener.bind((LOOPBACK, port))


def test_credentials_are_random_kept_and_readable_by_the_owner_alone(tmp_path: Path) -> None:
    """Two stacks never share credentials; one stack keeps its own."""
    plan = a_plan()
    states = [State(tmp_path / name) for name in "ab"]
    for state in states:
        state.directory.mkdir()
    first, second = (state.environment(plan) for state in states)
    assert first["AWS_SECRET_ACCESS_KEY"] != second["AWS_SECRET_ACCESS_KEY"]
    assert states[0].environment(plan) == first
    assert stat.S_IMODE(states[0].environment_file.stat().st_mode) == 0o600


def test_the_environment_file_holds_settings_that_exist(tmp_path: Path) -> None:
    """Kascribe refuses names that are no settings; the standard AWS names are boto3's."""
    names = State(tmp_path).environment(a_plan())
    ours = {name for name in names if name.startswith("KASCRIBE_")}
    assert ours <= set(by_environment_name())
    assert set(names) - ours == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"}


def test_a_port_that_somebody_else_has_is_refused() -> None:
    """Otherwise another MinIO on that port would be taken for the one that we started."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        with pytest.raises(StackError, match="is taken by another program"):
            refuse_taken_port(listener.getsockname()[1], "minio")


def test_somebody_elses_directory_is_refused(tmp_path: Path) -> None:
    """A stack neither writes into nor removes a directory that holds something else."""
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(StackError, match=r"is not empty \(thesis.txt\): choose another one with --state"):
        State(tmp_path).keep_plan(a_plan())
    with pytest.raises(StackError, match="holds no stack"):
        State(tmp_path).purge()
    assert (tmp_path / "thesis.txt").exists()


def test_every_listener_is_on_loopback(tmp_path: Path) -> None:
    """Nothing of the stack can be reached from another machine."""
    plan = a_plan()
    lines = configuration(plan, plan.brokers[0], tmp_path).splitlines()
    listeners = next(line for line in lines if line.startswith("listeners=")).partition("=")[2]
    assert [each.partition("://")[2].partition(":")[0] for each in listeners.split(",")] == [LOOPBACK, LOOPBACK]


@pytest.mark.parametrize(("text", "topic"), [("a.b:6", Topic("a.b", 6)), ("a.b", Topic("a.b"))])
def test_topics_are_named_with_their_partitions(text: str, topic: Topic) -> None:
    """`name:partitions`; without a number there are a few."""
    assert parse_topic(text) == topic


@pytest.mark.parametrize("text", ["", ":3", "a:0", "a:x"])
def test_a_topic_that_makes_no_sense_is_refused(text: str) -> None:
    """Better here than as a strange answer of the broker."""
    with pytest.raises(ValueError, match=r".+"):
        parse_topic(text)
