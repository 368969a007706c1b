"""The wiring of a consumer role: its stage with a runtime, an outbox and health."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import structlog

from consumers.cancellations import Cancellations
from consumers.kafka.client import group_id
from consumers.kafka.follower import FollowerThread
from consumers.runtime.ports import Stage
from consumers.runtime.runtime import Runtime
from kascribe.process.health import RoleHealth
from kascribe.process.instance_id import run_when_admitted
from kascribe.process.shutdown import Shutdown
from kascribe.process.tracing.tracer import opened_tracer
from producers.outbox import AtLeastOnceOutbox, TransactionalOutbox
from producers.topics import ensure_topics
from schemas.clock import SystemClock
from schemas.kafka.topics import Topics, topics_used_by
from schemas.settings import Settings

OUTBOX_CLOSE_SECONDS: Final = 10.0
INSTANCE_ID_PROPERTY: Final = "group.instance.id"

_log: Final = structlog.get_logger(__name__)


@contextmanager
def listening_for_cancellations(settings: Settings) -> Iterator[Cancellations]:
    """Collect the cancellations that arrive while the context lasts. Raises as ``run_stage`` does.

    While the broker is down cancellations are missed, and their jobs run to the end.
    """
    # Created first: a follower without the topic retries seconds later, and misses cancellations until then.
    topic = Topics(settings.kafka.topic_prefix).cancellations
    ensure_topics(settings.kafka, {topic: settings.kafka.topic_partitions})
    cancellations = Cancellations()
    follower = FollowerThread(settings.kafka, (topic,), cancellations.add, name="cancellations")
    follower.start()
    try:
        yield cancellations
    finally:
        follower.stop()


def run_stage(stage: Stage, settings: Settings, health: RoleHealth, shutdown: Shutdown) -> None:
    """Run the stage until a signal, then drain; a second signal ends it at once. Blocks.

    Raises ConfigurationError when topics are missing and may not be created, or the broker does not answer;
    ClientBroken when the Kafka client cannot recover.
    """
    ensure_topics(settings.kafka, _partitions(stage, settings))
    outbox = opened_outbox(stage.name, settings)
    new_runtime = partial(Runtime, stage=stage, outbox=outbox, settings=settings, metrics=health.metrics)
    _log.info("running", role=stage.name, topics=stage.topics)
    try:
        with opened_tracer(
            settings.tracing, health.metrics, role=stage.name, seconds_left=shutdown.seconds_left
        ) as tracer:
            run_when_admitted(partial(new_runtime, tracer=tracer), health, shutdown, clock=SystemClock())
    except BaseException as error:
        health.failure = str(error) or repr(error)
        raise
    finally:
        outbox.close(timeout_seconds=shutdown.seconds_left(OUTBOX_CLOSE_SECONDS))
        _log.info("stopped", role=stage.name)


def opened_outbox(role: str, settings: Settings) -> AtLeastOnceOutbox | TransactionalOutbox:
    """Open the outbox of a role: the one that keeps the promise of the settings."""
    if settings.runtime.delivery == "at_least_once":
        return AtLeastOnceOutbox(settings.kafka)
    group = group_id(settings.kafka, role)
    instance = settings.kafka.properties.get(INSTANCE_ID_PROPERTY)
    name = instance.get_secret_value() if instance else secrets.token_hex(8)
    return TransactionalOutbox(settings.kafka, group_id=group, transactional_id=f"{group}-{name}")


def _partitions(stage: Stage, settings: Settings) -> dict[str, int]:
    """Return every topic that the role uses, with its partitions if it has to be created."""
    topics = Topics(settings.kafka.topic_prefix)
    names = topics_used_by(topics, stage.retried_topics, settings.runtime.retry_delays_seconds)
    return dict.fromkeys(names, settings.kafka.topic_partitions)
