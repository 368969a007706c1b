"""The runtime of one stage, put together."""

from functools import partial

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumers.kafka import client as kafka
from consumers.kafka.fatal_errors import client_broken
from consumers.runtime.assignment import Assignment
from consumers.runtime.committer import Outlet
from consumers.runtime.execution import descriptors
from consumers.runtime.execution.holder import Holder, is_alive
from consumers.runtime.execution.mailbox import Mailbox
from consumers.runtime.execution.workers import Workers
from consumers.runtime.flight import Flight
from consumers.runtime.intake import Intake
from consumers.runtime.load import Load
from consumers.runtime.loop import Loop
from consumers.runtime.monitoring.broker_view import BrokerWatch
from consumers.runtime.monitoring.dependencies import DependencyWatch
from consumers.runtime.monitoring.metrics import Metrics
from consumers.runtime.monitoring.probes import Probes
from consumers.runtime.monitoring.snapshot import Observation, Snapshot
from consumers.runtime.monitoring.topic_ids import LogWatch
from consumers.runtime.ports import Outbox
from consumers.runtime.retry import DeadLetter, decide
from consumers.runtime.settlement import Settlement
from consumers.runtime.stage import Stage, Weight
from schemas.clock import Clock, SystemClock
from schemas.errors import DESCRIPTORS
from schemas.kafka.records import OutgoingRecord
from schemas.settings import RuntimeSettings, Settings


class Runtime:
    """Runs one stage on what its topics bring, until it is stopped.

    ``run`` blocks, in the thread that owns the consumer from then on. ``stop`` may be called from any thread and
    from a signal handler. The outbox stays its maker's to close, after ``run`` has returned.
    """

    def __init__(
        self, *, stage: Stage, outbox: Outbox, settings: Settings, metrics: Metrics, clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        runtime = settings.runtime
        mailbox = Mailbox(clock)
        self._mailbox = mailbox
        self._broken = partial(client_broken, settings=settings.kafka, role=stage.name)
        self._topics = kafka.subscription(stage.topics, runtime.retry_delays_seconds)

        self._consumer = kafka.make_consumer(settings.kafka, role=stage.name, on_commit=self._answered)
        self._workers = Workers(stage, threads=runtime.worker_threads, done=mailbox.put_flight)
        self._holder = Holder()
        assignment = Assignment(runtime, metrics, holder=self._holder.name, is_alive=is_alive)
        self._logs = LogWatch(settings.kafka, role=stage.name, post=mailbox.put_command)
        load = Load(runtime)
        intake = Intake(
            self._consumer,
            assignment,
            self._workers,
            load,
            _Support(outbox, mailbox, load, runtime),
            settings=runtime,
            metrics=metrics,
            clock=clock,
            doubt=self._logs.ask,
        )
        self._logs.tell(intake.logs_found)
        self._outlet = outlet = Outlet(
            outbox,
            self._consumer,
            assignment,
            load,
            post=mailbox.put_command,
            durable=intake.start_durable,
            commit_interval_seconds=runtime.commit_interval_seconds,
            metrics=metrics,
            clock=clock,
        )
        self._look_around(stage, settings, metrics, clock)
        self._settlement = Settlement(
            stage, intake, outlet, self._watch, settings=settings, metrics=metrics, clock=clock
        )
        self._observation = Observation(
            assignment,
            intake,
            load,
            mailbox,
            outlet,
            membership=lambda: self._broker_watch.membership,
            answered_at=lambda: self._probes.answered_at,
            metrics=metrics,
            clock=clock,
        )
        self._loop = Loop(
            self._consumer,
            mailbox,
            assignment,
            intake,
            self._settlement,
            outlet,
            load,
            observation=self._observation,
            broker_watch=self._broker_watch,
            settings=runtime,
            metrics=metrics,
            clock=clock,
        )

    def _look_around(self, stage: Stage, settings: Settings, metrics: Metrics, clock: Clock) -> None:
        """What watches the services beside the loop, each on threads of its own."""
        self._watch = DependencyWatch(
            partial(_is_up, stage),
            interval_seconds=settings.runtime.dependency_check_seconds,
            recovered=self._recovered,
        )
        self._broker_watch = BrokerWatch(
            settings.kafka, role=stage.name, latest=self.snapshot, metrics=metrics, clock=clock
        )
        self._probes = Probes(stage.dependency_is_up, stage.services, clock=clock)

    def run(self) -> None:
        """Blocks until ``stop`` and the drain after it. To be called once.

        Raises ClientBroken when the client cannot go on; nothing is lost then.
        """
        for thread in (self._workers, self._watch, self._broker_watch, self._logs, self._probes):
            thread.start()
        try:
            topics = [*self._topics, *kafka.former_retry_topics(self._consumer, self._topics)]
            self._logs.watch(topics)
            with self._holder:
                self._loop.run(topics)
        except KafkaException as error:
            self._loop.stops = 2
            raise self._broken(error.args[0]) from error
        except BaseException:
            # No drain: what failed here may be what a drain needs.
            self._loop.stops = 2
            raise
        finally:
            self._consumer.close()
            for thread in (self._watch, self._broker_watch, self._logs, self._probes, self._workers):
                thread.stop()

    def stop(self) -> None:
        """Asks ``run`` to drain and return; asked a second time, to return at once. Never blocks."""
        self._loop.stops += 1
        self._mailbox.put_command(_wake)

    def _answered(self, error: KafkaError | None, positions: list[TopicPartition]) -> None:
        """The client's callback for commits, on the owner thread."""
        self._outlet.answered(error, positions)

    def _recovered(self, dependency: str, looks: int) -> None:
        """On the watch's thread."""
        self._mailbox.put_command(partial(self._settlement.recovered, dependency, looks))

    def snapshot(self) -> Snapshot:
        """What the loop looked like a second ago at most, unless it hangs. From any thread."""
        return self._observation.latest


class _Support:
    """What running jobs may ask for; see flight.JobSupport."""

    def __init__(self, outbox: Outbox, mailbox: Mailbox, load: Load, settings: RuntimeSettings) -> None:
        self._settings = settings
        self._outbox = outbox
        self._mailbox = mailbox
        self._load = load

    def report(self, record: OutgoingRecord) -> None:
        """Straight to the outbox, which neither blocks nor raises; the mailbox notes that the stage works."""
        self._mailbox.hear()
        self._outbox.report(record)

    def reweigh(self, flight: Flight, weight: Weight) -> None:
        """Posted to the owner, who does the sums."""
        self._mailbox.put_command(partial(self._load.reweigh, flight, weight))

    def is_final(self, flight: Flight, error: Exception) -> bool:
        """What ``Settlement`` will decide; the time of day has no part in it."""
        decision = decide(
            error,
            topic=flight.record.topic,
            attempt=flight.attempt,
            retry_delays_seconds=self._settings.retry_delays_seconds,
            now_ms=0,
            pauses=flight.pauses,
        )
        return isinstance(decision, DeadLetter)


def _is_up(stage: Stage, dependency: str) -> bool:
    """Descriptors are every stage's; the rest the stage knows."""
    return descriptors.are_free() if dependency == DESCRIPTORS else stage.dependency_is_up(dependency)


def _wake() -> None:
    """Mail without content: whoever waits at the mailbox goes on."""
