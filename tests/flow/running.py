"""A runtime on a thread of the test, with everything real around it."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from consumers.metrics import Metrics
from consumers.runtime.ports import Stage
from consumers.runtime.runtime import Runtime
from kascribe.wiring.consumer import opened_outbox
from schemas.kafka.topics import dead_letter_topic, retry_topic
from schemas.monitoring.tracing import Tracer
from schemas.settings import KafkaSettings, RuntimeSettings, Settings
from tests.flow.mock_cluster import MockCluster
from tests.flow.stages import OUTPUT, TOPIC, CommandStage
from tests.support.waiting import eventually

GROUP_PREFIX: Final = "test."
START_SECONDS: Final = 20.0


def settings_for(
    bootstrap_servers: str,
    *,
    protocol: str = "consumer",
    group_prefix: str = "",
    properties: Any = None,
    **limits: Any,
) -> Settings:
    """Build settings for a broker on loopback; ``limits`` are fields of RuntimeSettings."""
    # The mock lets a second classic member in after the session timeout less a second, and has evicted by then a
    # member that is still revoking: that must take less, or the members evict each other in turn.
    classic = protocol == "classic"
    session = {"session.timeout.ms": 3_000, "heartbeat.interval.ms": 300} if classic else {}
    revocation = {"revoke_timeout_seconds": 0.5} if classic else {}
    merged = {"log_level": 0, **session, **(properties or {})}
    secret = {name: SecretStr(str(value)) for name, value in merged.items()}
    kafka = KafkaSettings.model_validate(
        {
            "bootstrap_servers": bootstrap_servers,
            "group_id_prefix": group_prefix or GROUP_PREFIX,
            "group_protocol": protocol,
            "properties": secret,
        }
    )
    patient = {
        "commit_interval_seconds": 0.05,
        "dependency_check_seconds": 0.05,
        "retry_delays_seconds": (1,),
        "killer_rest_seconds": 0.2,
    }
    return Settings(kafka=kafka, runtime=RuntimeSettings.model_validate({**patient, **revocation, **limits}))


def create_topics(broker: MockCluster, *, partitions: int = 1, delays: tuple[int, ...] = (1,)) -> None:
    """Create the stage's topics, its retry topics and the topics of results."""
    for topic in (TOPIC, *(retry_topic(TOPIC, delay) for delay in delays)):
        broker.create_topic(topic, partitions=partitions)
    for topic in (OUTPUT, dead_letter_topic(TOPIC)):
        broker.create_topic(topic)


def send(
    bootstrap_servers: str,
    values: list[str],
    *,
    topic: str = TOPIC,
    partitions: int = 1,
    first_partition: int = 0,
) -> None:
    """Send one record per value, to the partitions in turn."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    headers: list[tuple[str, str | bytes | None]] = [("mark", b"\x00\xff")]
    for number, value in enumerate(values):
        partition = first_partition + number % partitions
        producer.produce(topic, value, f"key-{value}", partition=partition, headers=headers)
    assert producer.flush(10) == 0


def committed(
    bootstrap_servers: str, *, topic: str = TOPIC, partitions: int = 1, group: str = f"{GROUP_PREFIX}commands"
) -> list[tuple[int, str]]:
    """Read what the group has committed: offset and metadata of each partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": group, "log_level": 0})
    asked = [TopicPartition(topic, number) for number in range(partitions)]
    positions = eventually(lambda: _committed(consumer, asked), timeout_seconds=30, what="committed offsets")
    consumer.close()
    return [(position.offset, position.metadata or "") for position in positions]


def _committed(consumer: Consumer, asked: list[TopicPartition]) -> list[TopicPartition]:
    """Return the committed offsets; nothing while the group's coordinator moves or loads."""
    try:
        return consumer.committed(asked, timeout=10)
    except KafkaException:
        return []


def outputs_until(bootstrap_servers: str, *, distinct: int, timeout_seconds: float = 30.0) -> Counter[str]:
    """Count the values on the output topic, once so many different ones are there. Blocks."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "outputs", "log_level": 0})
    consumer.assign([TopicPartition(OUTPUT, 0, 0)])
    seen: Counter[str] = Counter()

    def enough() -> bool:
        seen.update((message.value() or b"").decode() for message in consumer.consume(500, 0.1))
        return len(seen) >= distinct

    eventually(enough, timeout_seconds=timeout_seconds, interval_seconds=0, what=f"{distinct} different outputs")
    consumer.close()
    return seen


class Running:
    """A runtime at work on its own thread."""

    def __init__(self, runtime: Runtime, registry: CollectorRegistry) -> None:
        self.runtime = runtime
        self.registry = registry
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="owner", daemon=True)
        self.thread.start()

    def wait_until_joined(self, *, partitions: int) -> None:
        """Wait until the group has assigned that many partitions, retry topics included."""
        eventually(
            lambda: len(self.runtime.snapshot().partitions) == partitions or self.error,
            timeout_seconds=START_SECONDS,
            what="the assignment",
        )

    def stop(self, *, timeout_seconds: float = 60.0) -> None:
        """Stop as SIGTERM does. Raises what ``run`` raised. An assignment may wait 30 s for committed offsets."""
        self.runtime.stop()
        self.thread.join(timeout_seconds)
        assert not self.thread.is_alive(), "the runtime did not stop"
        if self.error is not None:
            raise self.error

    def sample(self, name: str, **labels: str) -> float:
        """Read a metric's value; 0 when it was never set."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def _run(self) -> None:
        try:
            self.runtime.run()
        except BaseException as error:  # noqa: BLE001 - raised again where the test waits
            self.error = error


@contextmanager
def running(stage: Stage, settings: Settings, *, tracer: Tracer | None = None) -> Iterator[Running]:
    """Run the stage until the block ends, then stop at once if the test has not stopped it."""
    registry = CollectorRegistry()
    outbox = opened_outbox(stage.name, settings)
    metrics = Metrics(registry)
    runtime = Runtime(stage=stage, outbox=outbox, settings=settings, metrics=metrics, tracer=tracer)
    started = Running(runtime, registry)
    try:
        yield started
    finally:
        if isinstance(stage, CommandStage):
            stage.release.set()
        if started.thread.is_alive():
            started.runtime.stop()
            started.runtime.stop()
            started.thread.join(30)
        outbox.close(timeout_seconds=1)


@contextmanager
def victim(bootstrap_servers: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a CommandStage in a process of its own; kill it at the end of the block at the latest."""
    process = subprocess.Popen([sys.executable, "-m", "tests.flow.runtime.victim", bootstrap_servers, *arguments])
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
