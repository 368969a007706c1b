"""The broker's view of this process, asked off the owner thread: is it a member of its group, and how far behind.

The consumer's own view may be wrong: a broken client still holds its partitions, and one whose broker is away
reports nothing. librdkafka also stops asking for the ends of paused partitions, so the lag that the consumer could
report freezes while they are paused.
"""

import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import replace
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from consumers.kafka.client import client_configuration, group_id, make_client_id, open_admin
from consumers.runtime.monitoring import metrics as rows
from consumers.runtime.monitoring.membership import SILENCE_SECONDS, Membership
from consumers.runtime.monitoring.metrics import Metrics
from consumers.runtime.monitoring.snapshot import Snapshot
from schemas.clock import Clock
from schemas.kafka.delivery import Partition
from schemas.settings import KafkaSettings

ASK_SECONDS: Final = 5.0
"""Between two questions: one DescribeGroups request, and one ListOffsets request per leader."""

REQUEST_SECONDS: Final = 5.0

_UNABLE: Final = frozenset({KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION})  # noqa: SLF001
_log: Final = structlog.get_logger(__name__)


class BrokerWatch:
    """Ask for the group and for the ends of the partitions held, from a thread and with a client of its own."""

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        role: str,
        latest: Callable[[], Snapshot],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.membership = Membership(answered_at=clock.monotonic(), member_at=clock.monotonic())
        self._settings = settings
        self._configuration = client_configuration(settings, client_id=make_client_id(f"{role}-watch"))
        self._group = group_id(settings, role)
        self._latest = latest
        self._gauge = metrics.gauge(rows.LAG)
        self._clock = clock
        self._member_id: str | None = None
        self._measured_at: dict[Partition, float] = {}
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="broker-watch", daemon=True)

    def start(self) -> None:
        """Return at once; to be called once."""
        self._thread.start()

    def joined(self, member_id: str | None) -> None:
        """Note who this process is to its group now. From any thread; never blocks; safe to repeat."""
        if member_id != self._member_id:
            self._member_id = member_id
            self.ask()

    def ask(self) -> None:
        """Ask without waiting for the interval. From any thread; never blocks; safe to repeat."""
        self._wake.set()

    def stop(self) -> None:
        """Do not wait for a request that is under way."""
        self._stopped = True
        self._wake.set()

    def _run(self) -> None:
        client = open_admin(self._settings, self._configuration)
        while not self._stopped:
            self._wake.clear()
            self._ask_group(client)
            if self.membership.problem is None:
                self._measure_lag(client)
            self._forget_lag()
            client.poll(0)  # lets out the client's own log lines
            self._wake.wait(ASK_SECONDS)

    def _ask_group(self, client: AdminClient) -> None:
        member_id = self._member_id
        answer = client.describe_consumer_groups([self._group], request_timeout=REQUEST_SECONDS)[self._group]
        now = self._clock.monotonic
        try:
            # What such a future fails with may be a bare KafkaError, which no except clause catches.
            error = answer.exception(REQUEST_SECONDS + 1.0)
        except NoAnswer:
            self.membership = replace(self.membership, problem="the question was not answered")
            return
        if error is None:
            held = {
                member.member_id: frozenset(
                    (position.topic, position.partition) for position in member.assignment.topic_partitions
                )
                for member in answer.result().members
            }
            is_member = member_id is None or member_id in held
            member_at = now() if is_member else self.membership.member_at
            partitions = None if member_id is None else held.get(member_id, frozenset())
            self.membership = Membership(now(), member_at, True, is_member, partitions)
        elif (code := _code(error)) in _UNABLE:
            self.membership = Membership(now(), now(), True)
        else:
            self.membership = replace(self.membership, problem=KafkaError(code).str())

    def _measure_lag(self, client: AdminClient) -> None:
        views = self._latest().partitions
        asked = {TopicPartition(*key): OffsetSpec.latest() for key in views}  # type: ignore[no-untyped-call]
        answers = client.list_offsets(asked, request_timeout=REQUEST_SECONDS) if asked else {}
        for position, answer in answers.items():
            try:
                if answer.exception(REQUEST_SECONDS) is not None:
                    continue
            except NoAnswer:
                continue
            view = views[(position.topic, position.partition)]
            end = answer.result().offset
            committed = view.committed_offset
            gauge = self._gauge.labels(position.topic, position.partition)
            gauge.set(max(0, end - (committed if committed is not None else view.position_offset)))
            self._measured_at[(position.topic, position.partition)] = self._clock.monotonic()

    def _forget_lag(self) -> None:
        """A lag that could not be measured for a while is unknown: its series ends, instead of standing still."""
        held = self._latest().partitions
        earliest = self._clock.monotonic() - SILENCE_SECONDS
        for key in [key for key, at in self._measured_at.items() if key not in held or at < earliest]:
            self._gauge.remove(*key)
            del self._measured_at[key]


def _code(error: BaseException) -> int:
    """The client's code in either form in which a future may fail."""
    reason = error.args[0] if isinstance(error, KafkaException) else error
    return int(reason.code()) if isinstance(reason, KafkaError) else KafkaError._FAIL  # noqa: SLF001
