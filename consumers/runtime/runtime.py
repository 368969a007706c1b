"""The runtime of one stage, put together."""

from collections.abc import Callable
from functools import partial

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers import metrics as rows
from consumers.kafka import client
from consumers.kafka.fatal_errors import client_broken
from consumers.metrics import Metrics
from consumers.runtime.assignment import Assignment
from consumers.runtime.committer import Committer
from consumers.runtime.dispatch import Dispatch
from consumers.runtime.drain import COMMIT_RESERVE_SECONDS, Drain
from consumers.runtime.execution import descriptors
from consumers.runtime.execution.holder import is_alive, new_holder, visible
from consumers.runtime.execution.jobs import job_maker
from consumers.runtime.execution.mailbox import Mailbox
from consumers.runtime.execution.workers import Workers
from consumers.runtime.flow_control import FlowControl
from consumers.runtime.intake import Intake
from consumers.runtime.loop import Loop
from consumers.runtime.monitoring.backlog import Backlog
from consumers.runtime.monitoring.broker_view import MembershipWatch
from consumers.runtime.monitoring.dependencies import DependencyWatch
from consumers.runtime.monitoring.lag import LagMeter
from consumers.runtime.monitoring.probes import Probes
from consumers.runtime.monitoring.snapshot import Snapshot, SnapshotTaker
from consumers.runtime.monitoring.topic_ids import TopicIdWatch
from consumers.runtime.ports import Outbox, Stage
from consumers.runtime.rebalance import Rebalance
from consumers.runtime.retry import delays_of
from consumers.runtime.settlement import Settlement
from schemas.clock import Clock, SystemClock
from schemas.errors import DESCRIPTORS
from schemas.monitoring.tracing import Tracer
from schemas.settings import RuntimeSettings, Settings


class Runtime:
    """Runs one stage on the records of its topics until it is stopped.

    ``run`` blocks, in the thread that owns the consumer from then on. ``stop`` may be called from any thread and
    from a signal handler. The caller closes the outbox after ``run`` has returned.

    The attributes are the owner thread's parts, as ``run`` uses them; tests drive them without threads.
    """

    def __init__(
        self,
        *,
        stage: Stage,
        outbox: Outbox,
        settings: Settings,
        metrics: Metrics,
        clock: Clock | None = None,
        make_consumer: Callable[..., Consumer] = client.make_consumer,
        tracer: Tracer | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._tracer = tracer
        limits = settings.runtime
        self._client_error = partial(client_broken, settings=settings.kafka, role=stage.name)
        self._topics = client.subscription(stage.topics, stage.retried_topics, limits.retry_delays_seconds)
        self._retried_topics = stage.retried_topics
        self._holder = new_holder()

        self.mailbox = Mailbox(clock)
        self.consumer = make_consumer(settings.kafka, role=stage.name, on_commit=self._on_commit)
        self.workers = Workers(stage, threads=limits.worker_threads, done=self.mailbox.put_flight)
        self.assignment = Assignment(
            limits,
            metrics,
            holder=self._holder,
            is_alive=is_alive,
            release=partial(outbox.release, timeout_seconds=COMMIT_RESERVE_SECONDS),
        )
        for topic in stage.topics:
            for row in (rows.UNCLEAN_TAKEOVERS, rows.RECORDS_RECEIVED, rows.RECORDS_SKIPPED):
                metrics.counter(row).labels(topic)  # the series exists before its first event
        self.flow_control = FlowControl(self.consumer, limits, clock=clock)
        self.dispatch = Dispatch(
            self.workers, self.flow_control, rest_seconds=limits.killer_rest_seconds, clock=clock
        )
        self.backlog = Backlog(stage.name, metrics)
        self._make_watches(stage, settings, metrics, clock)
        self._make_steps(stage, outbox, settings, metrics, clock)
        self._make_loop(limits, metrics, clock)

    def _make_steps(
        self, stage: Stage, outbox: Outbox, settings: Settings, metrics: Metrics, clock: Clock
    ) -> None:
        """Make the steps that a record passes through before and after the dispatch."""
        limits = settings.runtime
        self.intake = Intake(
            self.assignment,
            self.flow_control,
            self.dispatch,
            make_job=job_maker(
                outbox,
                self.mailbox,
                self.flow_control,
                delays_of=partial(delays_of, stage, limits),
                group=f"{settings.kafka.group_id_prefix}{stage.name}",
                tracer=self._tracer,
            ),
            request_log_ids=self.topic_id_watch.refresh,
            metrics=metrics,
            clock=clock,
        )
        self.committer = Committer(
            outbox,
            self.consumer,
            self.assignment,
            self.flow_control,
            post=self.mailbox.put_command,
            on_durable=self.dispatch.start_durable,
            role=stage.name,
            commit_interval_seconds=limits.commit_interval_seconds,
            metrics=metrics,
            clock=clock,
        )
        self.settlement = Settlement(
            stage,
            self.dispatch,
            self.committer,
            self.dependency_watch,
            backlog=self.backlog,
            settings=settings,
            metrics=metrics,
            clock=clock,
        )

    def _make_loop(self, limits: RuntimeSettings, metrics: Metrics, clock: Clock) -> None:
        """Make the loop, the rebalance callbacks with their drain, and the snapshots."""
        self.snapshot_taker = SnapshotTaker(
            self.assignment,
            self.dispatch,
            self.flow_control,
            self.mailbox,
            self.committer,
            backlog=self.backlog,
            ends=lambda: self._lag.ends,
            membership=lambda: self.membership_watch.membership,
            answered_at=lambda: self._probes.answered_at,
            metrics=metrics,
            clock=clock,
        )
        self._loop = Loop(
            self.consumer,
            self.mailbox,
            self.intake,
            self.settlement,
            self.committer,
            flow_control=self.flow_control,
            snapshot_taker=self.snapshot_taker,
            membership_watch=self.membership_watch,
            poll_interval_seconds=limits.poll_interval_seconds,
            metrics=metrics,
            clock=clock,
        )
        self.drain = Drain(
            self.assignment,
            self.dispatch,
            self.committer,
            is_hurried=lambda: self._loop.is_hurried,
            clock=clock,
        )
        self._rebalance = Rebalance(
            self._loop,
            self.assignment,
            self.drain,
            self.membership_watch,
            settings=limits,
            metrics=metrics,
            clock=clock,
        )

    def _make_watches(self, stage: Stage, settings: Settings, metrics: Metrics, clock: Clock) -> None:
        """Make the watches of the broker and of the services. Each runs on threads of its own."""
        self.dependency_watch = DependencyWatch(
            partial(_is_up, stage),
            interval_seconds=settings.runtime.dependency_check_seconds,
            on_recovery=self._on_recovery,
            clock=clock,
        )
        self._lag = LagMeter(self.snapshot, metrics=metrics, clock=clock)
        self.membership_watch = MembershipWatch(
            settings.kafka,
            self._lag,
            role=stage.name,
            clock=clock,
        )
        self.topic_id_watch = TopicIdWatch(settings.kafka, role=stage.name, post=self.mailbox.put_command)
        self._probes = Probes(stage.dependency_is_up, stage.services, clock=clock)

    def run(self) -> None:
        """Run until ``stop``, then drain. Blocks; call it once.

        Raises ClientBroken when the client cannot recover; nothing is lost then.
        """
        watches = (self.dependency_watch, self.membership_watch, self.topic_id_watch, self._probes)
        for thread in (self.workers, *watches):
            thread.start()
        try:
            former = client.former_retry_topics(self.consumer, self._topics, self._retried_topics)
            topics = [*self._topics, *former]
            self.topic_id_watch.watch(topics, self.intake.on_log_ids)
            with visible(self._holder):
                self._rebalance.subscribe(self.consumer, topics)
                self._loop.run()
                self.intake.close()
                self._rebalance.leave()
        except KafkaException as error:
            self._loop.stop(times=2)
            raise self._client_error(error.args[0]) from error
        except BaseException:
            # No drain: what failed here may be what a drain needs.
            self._loop.stop(times=2)
            raise
        finally:
            self.consumer.close()
            for thread in (*watches, self.workers):
                thread.stop()

    def stop(self) -> None:
        """Make ``run`` drain and return; a second call makes it return at once. Never blocks."""
        self._loop.stop()
        self.mailbox.put_command(_wake)

    def snapshot(self) -> Snapshot:
        """Return the latest snapshot: a second old at most, unless the loop hangs. From any thread."""
        return self.snapshot_taker.latest

    def _on_commit(self, error: KafkaError | None, positions: list[TopicPartition]) -> None:
        """Pass the client's answer to a commit to the committer. On the owner thread."""
        self.committer.on_commit(error, positions)

    def _on_recovery(self, dependency: str, probes: int) -> None:
        """Post the recovery to the owner thread. On the watch's thread."""
        self.mailbox.put_command(partial(self.settlement.on_recovery, dependency, probes))


def _is_up(stage: Stage, dependency: str) -> bool:
    """Probe a dependency: descriptors concern every stage, any other is probed by the stage."""
    return descriptors.are_free() if dependency == DESCRIPTORS else stage.dependency_is_up(dependency)


def _wake() -> None:
    """No-op command that wakes the loop."""
