"""A consumer role, wired: a stage, the runtime around it, the outbox behind it, health beside it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry

from consumers.cancellations import CancellationListener, Withdrawn
from consumers.runtime.health import HealthServer, Verdict
from consumers.runtime.liveness import live, ready
from consumers.runtime.metrics import Metric, Metrics
from consumers.runtime.runtime import Runtime
from consumers.runtime.stage import Stage
from producers.outbox import AtLeastOnceOutbox
from producers.topics import ensure_topics
from schemas.settings import Settings
from schemas.topics import Topics, topics_around

OUTBOX_CLOSE_SECONDS = 10.0

_log = structlog.get_logger(__name__)


@dataclass
class Health:
    """What the endpoints answer. Before the runtime exists the process is alive and not ready.

    ``declared`` are the role's own metrics, beside the runtime's.
    """

    is_well: Callable[[], bool] = lambda: True
    runtime: Runtime | None = None
    why_not_ready: str = "starting"
    declared: tuple[Metric, ...] = ()
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = Metrics(CollectorRegistry(), self.declared)

    def live(self) -> Verdict:
        """Whether the process should go on living."""
        if not self.is_well():
            return Verdict(False, ("the engine hangs or is broken; only a new process helps",))
        return live(self.runtime.snapshot()) if self.runtime else Verdict(True)

    def ready(self) -> Verdict:
        """Whether records can be worked on."""
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
def listening_for_cancellations(settings: Settings) -> Iterator[Withdrawn]:
    """The jobs that are withdrawn while this lasts. Raises ConfigurationError as ``run_stage`` does."""
    # A listener that finds no topic looks again seconds later, and misses what is withdrawn until then.
    topic = Topics(settings.kafka.topic_prefix).cancellations
    ensure_topics(settings.kafka, {topic: settings.kafka.topic_partitions})
    withdrawn = Withdrawn()
    listener = CancellationListener(settings.kafka, withdrawn)
    listener.start()
    try:
        yield withdrawn
    finally:
        listener.stop()


def run_stage(stage: Stage, settings: Settings, health: Health) -> None:
    """Runs the stage until SIGTERM or SIGINT, then drains; a second signal ends it at once. Blocks.

    Raises ConfigurationError when topics are missing and may not be created, or the broker does not answer.
    """
    ensure_topics(settings.kafka, _partitions(stage, settings))
    outbox = AtLeastOnceOutbox(settings.kafka)
    runtime = Runtime(stage=stage, outbox=outbox, settings=settings, metrics=health.metrics)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runtime.stop())
    health.runtime = runtime
    _log.info("running", role=stage.name, topics=stage.topics)
    try:
        runtime.run()
    finally:
        outbox.close(timeout_seconds=OUTBOX_CLOSE_SECONDS)
        _log.info("stopped", role=stage.name)


def _partitions(stage: Stage, settings: Settings) -> dict[str, int]:
    """Every topic that the role touches, and its partitions if it has to be created."""
    topics = Topics(settings.kafka.topic_prefix)
    names = topics_around(topics, stage.topics, settings.runtime.retry_delays_seconds)
    return dict.fromkeys(names, settings.kafka.topic_partitions)
