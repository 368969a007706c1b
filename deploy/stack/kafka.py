"""Kafka in the stack: a broker's configuration and commands, and the requests of an admin client."""

import os
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from deploy.stack.cache import Servers
from deploy.stack.errors import StackError
from deploy.stack.state import LOOPBACK, BrokerPlan, Plan
from schemas.kafka.topics import Topics

if TYPE_CHECKING:
    from confluent_kafka.admin._metadata import TopicMetadata

READY_DEADLINE_SECONDS: Final = 90.0  # 4 s on an idle machine, 8 s for three brokers; CI shares two cores
REQUEST_TIMEOUT_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1
FORMAT_TIMEOUT_SECONDS: Final = 120
MAXIMUM_REPLICATION: Final = 3
# 400 MB suffice for the broker of a test cluster; C1 and the serial collector start fastest on two cores.
JVM_OPTIONS: Final = ("-Xmx400m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")

_LOGGING: Final = """\
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
logger.lifecycle.name = kafka.server.KafkaRaftServer
logger.lifecycle.level = INFO
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
"""

# Every client may do everything until a rule forbids it; tests add such rules. Only for a single broker: several
# refuse each other's votes until their authorizers have loaded the rules, and exit.
_AUTHORIZER: Final = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to create."""

    name: str
    partitions: int = 3


# Kascribe's own topics, without a prefix; it creates retry and dead-letter topics itself.
DEFAULT_TOPICS: Final = tuple(Topic(name) for name in Topics().all)


def parse_topic(text: str) -> Topic:
    """Parse `name` or `name:partitions`. Raises ValueError."""
    name, _, partitions = text.partition(":")
    if not name or (partitions and int(partitions) < 1):
        raise ValueError(f"{text!r}: expected name:partitions, such as audio.references:6")
    return Topic(name, int(partitions)) if partitions else Topic(name)


def configuration(plan: Plan, broker: BrokerPlan, directory: Path) -> str:
    """Return the broker's server.properties: broker and controller in one, on loopback, sized for tests."""
    replicas = min(len(plan.brokers), MAXIMUM_REPLICATION)
    in_sync = max(1, replicas - 1)
    voters = ",".join(f"{each.node_id}@{LOOPBACK}:{each.controller_port}" for each in plan.brokers)
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": broker.node_id,
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{broker.port},CONTROLLER://{LOOPBACK}:{broker.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{broker.port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": directory / "records",
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "group.initial.rebalance.delay.ms": 0,
        # The defaults are 50 each, which costs seconds at the first use.
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,  # of 128 MiB, more than the heap of a test allows
        # A killed broker cannot return before its last session has run out: 9 s by default.
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 2000,
        # A test may give its group a session shorter than the default of 45 s, which stays.
        "group.consumer.min.session.timeout.ms": 6000,
    }
    if len(plan.brokers) == 1:
        settings |= _AUTHORIZER
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def format_storage(servers: Servers, plan: Plan, broker: BrokerPlan, directory: Path) -> None:
    """Write the broker's configuration and, unless done before, format its storage: two seconds."""
    directory.mkdir(parents=True, exist_ok=True)
    properties = directory / "server.properties"
    properties.write_text(configuration(plan, broker, directory), encoding="utf-8")
    (directory / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    if (directory / "records" / "meta.properties").exists():
        return
    command = [*_java(servers, directory), "kafka.tools.StorageTool", "format"]
    command += ["-t", plan.cluster_id, "-c", str(properties)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_TIMEOUT_SECONDS, check=False)
    if done.returncode:
        raise StackError(f"Kafka could not format {directory}/records:\n{done.stdout}{done.stderr}")


def broker_command(servers: Servers, directory: Path) -> list[str]:
    """Return the command that starts the broker formatted in `directory`."""
    return [*_java(servers, directory), "kafka.Kafka", str(directory / "server.properties")]


def broker_environment() -> dict[str, str]:
    """Return the broker's whole environment, without JVM options of the caller's shell."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}


def _java(servers: Servers, directory: Path) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={directory / 'log4j2.properties'}"
    crash = f"-XX:ErrorFile={directory}/jvm-crash-%p.log"
    return [str(servers.java), *JVM_OPTIONS, crash, logging, "-cp", f"{servers.kafka_jars}/*"]


class Cluster:
    """The stack's brokers, as a client sees them."""

    def __init__(self, plan: Plan, *, check: Callable[[], None] = lambda: None) -> None:
        self._plan = plan
        self._check = check  # raises when waiting further is pointless, such as when a broker has died
        self._admin = AdminClient(
            {
                "bootstrap.servers": plan.bootstrap_servers,
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": 200,
                "log_level": 0,  # refused connections are expected while waiting for a broker
            }
        )

    def await_brokers(self, count: int) -> None:
        """Block until at least `count` brokers are in the cluster's metadata and accept requests."""

        def are_listed() -> bool:
            try:
                return len(self._admin.list_topics(timeout=1.0).brokers) >= count
            except KafkaException:  # not there yet
                return False

        self._wait_until(are_listed, "Kafka")

    def create_topics(self, topics: Iterable[Topic]) -> None:
        """Create missing topics and block until every partition has a leader. Safe to repeat.

        Partitions of a topic that exists already stay as they are.
        """
        wanted = {topic.name: topic for topic in topics}
        missing = [topic for name, topic in wanted.items() if name not in self._topics()]
        replicas = min(len(self._plan.brokers), MAXIMUM_REPLICATION)
        new_topics = [
            NewTopic(topic.name, num_partitions=topic.partitions, replication_factor=replicas) for topic in missing
        ]
        if new_topics:
            for name, created in self._admin.create_topics(new_topics).items():
                _await_creation(name, created.result)
        self._wait_until(lambda: self._have_leaders(wanted), "a leader for every partition")

    def _topics(self) -> "dict[str, TopicMetadata]":
        try:
            return self._admin.list_topics(timeout=REQUEST_TIMEOUT_SECONDS).topics
        except KafkaException as error:
            raise StackError(f"Kafka at {self._plan.bootstrap_servers} does not respond: {error}") from error

    def _have_leaders(self, names: Iterable[str]) -> bool:
        known = self._topics()
        return all(
            name in known
            and known[name].partitions
            and all(p.leader >= 0 for p in known[name].partitions.values())
            for name in names
        )

    def _wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_DEADLINE_SECONDS
        while not condition():
            self._check()
            if time.monotonic() >= deadline:
                raise StackError(f"{what} was not ready within {READY_DEADLINE_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)


def _await_creation(name: str, result: Callable[[float], object]) -> None:
    try:
        result(REQUEST_TIMEOUT_SECONDS)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise StackError(f"Kafka did not create the topic {name}: {error.args[0].str()}") from error
