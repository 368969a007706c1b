"""The wiring of the reconciler: its search with a broker for each run, health, and its schedule."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from consumers.cancellations import Cancellations, past_cancellations
from consumers.kafka.partition_reader import PartitionReader
from consumers.metrics import Instruments, new_instruments
from consumers.runtime.monitoring.membership import KAFKA
from kascribe.metering.process import observe_process
from kascribe.process.health import serving
from kascribe.process.shutdown import Shutdown
from producers.publisher import Publisher
from producers.reconciler.reconciler import Reconciler, Report, Rules
from producers.reconciler.rows import RECONCILED_OBJECTS, RECONCILER_METRICS, RECONCILER_RUNS
from producers.s3 import create_client
from producers.topics import ensure_topics, reach_broker
from schemas.clock import Clock, SystemClock
from schemas.errors import ConfigurationError, DependencyDown, KascribeError, NotDelivered
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.monitoring import DEPENDENCY_DOWN, HealthReport
from schemas.object_addresses import S3
from schemas.settings import KafkaSettings, ServerSettings, Settings

NAME: Final = "reconciler"

SILENT_SECONDS: Final = 900.0
"""A run that has not gone on for this long hangs: one chunk of lookups takes seconds, minutes at a slow store."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KafkaBroker:
    """Implements ``producers.reconciler.ports.Broker``."""

    settings: KafkaSettings
    publisher: Publisher
    topics: Topics

    def cancellations(self) -> Cancellations:
        """Read the topic of cancellations."""
        with closing(PartitionReader(self.settings, name=NAME)) as reader:
            return past_cancellations(reader, self.topics.cancellations)

    def publish(self, records: Sequence[OutgoingRecord]) -> int:
        """Publish, and wait for the broker's confirmation."""
        return self.publisher.publish(records)


@contextmanager
def opened_broker(settings: KafkaSettings) -> Iterator[KafkaBroker]:
    """Connect to the broker while the context lasts, and create the topics that are missing.

    Raises DependencyDown when it does not answer, ConfigurationError when topics may not be created.
    """
    reach_broker(settings)
    topics = Topics(settings.topic_prefix)
    ensure_topics(settings, dict.fromkeys((topics.references, topics.objects), settings.topic_partitions))
    with closing(Publisher(settings, client_id=f"kascribe-{NAME}")) as publisher:
        yield KafkaBroker(settings, publisher, topics)


def searched_buckets(settings: Settings, bucket: str | None) -> tuple[str, ...]:
    """Return the buckets to search. Raises ConfigurationError for one that references may not name."""
    allowed = settings.s3.allowed_buckets or (settings.s3.bucket,)
    wanted = (bucket,) if bucket else settings.reconciler.buckets or allowed
    for name in wanted:
        if name not in allowed:
            raise ConfigurationError(
                f"bucket {name!r} is not allowed (only {', '.join(allowed)}), so its objects cannot be "
                "transcribed; KASCRIBE_S3_ALLOWED_BUCKETS widens them"
            )
    return tuple(wanted)


def new_reconciler(settings: Settings, rules: Rules) -> Reconciler:
    """Return a reconciler of these settings. Makes no request; raises ConfigurationError for a wrong address."""
    return Reconciler(
        settings.s3,
        create_client(settings.s3),
        topics=Topics(settings.kafka.topic_prefix),
        rules=rules,
        clock=SystemClock(),
        open_broker=partial(opened_broker, settings.kafka),
    )


@dataclass
class ReconcilerHealth:
    """Health of a process that reconciles again and again."""

    clock: Clock = field(default_factory=SystemClock)
    instruments: Instruments = field(default_factory=partial(new_instruments, RECONCILER_METRICS))
    problem: str | None = "the first run has not ended"
    _running_since: float | None = None

    def __post_init__(self) -> None:
        observe_process(self.instruments, NAME, services=(KAFKA, S3))

    def goes_on(self) -> None:
        """Note that a run goes on."""
        self._running_since = self.clock.monotonic()

    def ended(self, report: Report | None, problem: str | None, *, down: str | None = None) -> None:
        """Note the end of a run, and the service that did not answer in it."""
        self._running_since, self.problem = None, problem
        for service in (KAFKA, S3):
            self.instruments.gauge(DEPENDENCY_DOWN).labels(service).set(service == down)
        outcome = "failed" if problem else "completed"
        self.instruments.counter(RECONCILER_RUNS).labels(outcome).inc()
        for each, objects in report.tally.counts.items() if report else ():
            self.instruments.counter(RECONCILED_OBJECTS).labels(each.value).inc(objects)

    def live(self) -> HealthReport:
        """Report whether the process is at work, or waits for the next run."""
        silent_seconds = self.clock.monotonic() - self._running_since if self._running_since is not None else 0.0
        if silent_seconds > SILENT_SECONDS:
            return HealthReport(False, (f"the run has not gone on for {silent_seconds:.0f} s",))
        return HealthReport(True)

    def ready(self) -> HealthReport:
        """Report whether the last run could search every bucket."""
        return HealthReport(self.problem is None, (self.problem,) if self.problem else ())


def served(health: ReconcilerHealth, settings: ServerSettings) -> AbstractContextManager[None]:
    """Serve health and metrics while the context lasts. Raises ConfigurationError for a port that is in use."""
    return serving(settings, live=health.live, ready=health.ready, registry=health.instruments.registry)


def run_repeatedly(
    run: Callable[[Callable[[], bool]], Report],
    *,
    interval_seconds: float,
    health: ReconcilerHealth,
    shutdown: Shutdown,
    show: Callable[[Report, str | None], None],
) -> None:
    """Run until a signal, and show each run's report. Blocks; survives buckets and brokers that are down.

    ``run`` takes the function that says whether to stop. An outage is logged when it begins and when it ends.
    """
    shutdown.pass_to(lambda: None)

    def stopped() -> bool:
        health.goes_on()
        return shutdown.signals > 0

    while not stopped():
        before, report, down = health.problem, Report(), None
        try:
            report = run(stopped)
            problem = "; ".join(report.problems) or None
            down = S3 if problem else None
        except KascribeError as error:
            problem = str(error)
            down = _service_of(error)
        health.ended(report, problem, down=down)
        _log_change(before, problem, is_first=before == ReconcilerHealth.problem)
        show(report, problem)
        if shutdown.wait(interval_seconds):
            return


def _service_of(error: KascribeError) -> str | None:
    if isinstance(error, NotDelivered):
        return KAFKA
    return error.dependency if isinstance(error, DependencyDown) else None


def _log_change(before: str | None, problem: str | None, *, is_first: bool) -> None:
    if problem and (before is None or is_first):
        _log.warning("not everything could be reconciled; the next run tries again", problem=problem)
    elif before and not problem and not is_first:
        _log.info("everything could be reconciled again")
