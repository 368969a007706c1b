"""A consumer role, wired: a stage, the runtime around it, the outbox behind it, health beside it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry

from consumers.cancellations import Cancellations
from consumers.kafka.follower import FollowerThread
from consumers.runtime.monitoring.health import live, ready
from consumers.runtime.monitoring.metrics import Metric, Metrics
from consumers.runtime.monitoring.server import HealthServer, Verdict
from consumers.runtime.runtime import Runtime
from consumers.runtime.stage import Stage
from kascribe.shutdown import Shutdown
from producers.outbox import AtLeastOnceOutbox
from producers.topics import ensure_topics
from schemas.errors import InstanceIdInUse
from schemas.kafka.topics import Topics, topics_around
from schemas.settings import Settings

OUTBOX_CLOSE_SECONDS = 10.0

INSTANCE_ID_SECONDS = 90.0
"""How long a new process waits for the broker to miss the one that had its group.instance.id: 45 s by default."""

INSTANCE_ID_RETRY_SECONDS = 2.0

_log = structlog.get_logger(__name__)


@dataclass
class Health:
    """What the endpoints answer. Before the runtime exists the process is alive and not ready.

    ``ended`` is why the runtime ended, once it ended otherwise than well. ``declared`` are the role's own metrics,
    beside the runtime's.
    """

    is_well: Callable[[], bool] = lambda: True
    runtime: Runtime | None = None
    why_not_ready: str = "starting"
    ended: str | None = None
    declared: tuple[Metric, ...] = ()
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = Metrics(CollectorRegistry(), self.declared)

    def live(self) -> Verdict:
        """Whether the process should go on living."""
        if not self.is_well():
            return Verdict(False, ("the engine hangs or is broken; only a new process helps",))
        if self.ended is not None:
            return Verdict(False, (self.ended,))
        return live(self.runtime.snapshot()) if self.runtime else Verdict(True)

    def ready(self) -> Verdict:
        """Whether records can be worked on."""
        if self.ended is not None:
            return Verdict(False, (self.ended,))
        if self.runtime is None:
            return Verdict(False, (self.why_not_ready,))
        return ready(self.runtime.snapshot())


@contextmanager
def served(health: Health, settings: Settings) -> Iterator[None]:
    """Health and metrics, from before the model is loaded until after the last record has left."""
    server = HealthServer(settings.server, live=health.live, ready=health.ready, registry=health.metrics.registry)
    server.start()
    _log.info("health_and_metrics", port=server.port)
    try:
        yield
    finally:
        server.stop()


@contextmanager
def listening_for_cancellations(settings: Settings) -> Iterator[Cancellations]:
    """The cancellations that arrive while the context lasts. Raises ConfigurationError as ``run_stage`` does.

    While the broker is down cancellations are missed, and their jobs run to the end.
    """
    # A follower that finds no topic retries seconds later, and misses the cancellations until then.
    topic = Topics(settings.kafka.topic_prefix).cancellations
    ensure_topics(settings.kafka, {topic: settings.kafka.topic_partitions})
    cancellations = Cancellations()
    follower = FollowerThread(settings.kafka, (topic,), cancellations.add, name="cancellations")
    follower.start()
    try:
        yield cancellations
    finally:
        follower.stop()


def run_stage(stage: Stage, settings: Settings, health: Health, shutdown: Shutdown) -> None:
    """Runs the stage until a signal, then drains; a second signal ends it at once. Blocks.

    Raises ConfigurationError when topics are missing and may not be created, or the broker does not answer;
    ClientBroken when the Kafka client cannot go on.
    """
    ensure_topics(settings.kafka, _partitions(stage, settings))
    outbox = AtLeastOnceOutbox(settings.kafka)
    _log.info("running", role=stage.name, topics=stage.topics)
    try:
        _run(stage, outbox, settings, health, shutdown)
    except BaseException as error:
        health.ended = str(error) or repr(error)
        raise
    finally:
        outbox.close(timeout_seconds=shutdown.seconds_left(OUTBOX_CLOSE_SECONDS))
        _log.info("stopped", role=stage.name)


def _run(stage: Stage, outbox: AtLeastOnceOutbox, settings: Settings, health: Health, shutdown: Shutdown) -> None:
    """A process that was killed keeps its instance id until the broker misses it: its successor asks again."""
    deadline = time.monotonic() + INSTANCE_ID_SECONDS
    while True:
        runtime = Runtime(stage=stage, outbox=outbox, settings=settings, metrics=health.metrics)
        shutdown.pass_to(runtime.stop)
        health.runtime = runtime
        try:
            runtime.run()
        except InstanceIdInUse as error:
            if time.monotonic() >= deadline:
                raise
            health.runtime, health.why_not_ready = None, str(error)
            _log.warning("the group does not let this process in yet; it asks again", why=str(error))
        else:
            return
        if shutdown.wait(INSTANCE_ID_RETRY_SECONDS):
            return


def _partitions(stage: Stage, settings: Settings) -> dict[str, int]:
    """Every topic that the role touches, and its partitions if it has to be created."""
    topics = Topics(settings.kafka.topic_prefix)
    names = topics_around(topics, stage.topics, settings.runtime.retry_delays_seconds)
    return dict.fromkeys(names, settings.kafka.topic_partitions)
