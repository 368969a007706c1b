"""The broker's view of this process: its membership of the group and its lag. Polled off the owner thread.

The consumer's own view may be wrong: a broken client still holds its partitions, and one that cannot reach the
broker reports nothing.
"""

from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from consumers.kafka.admin import COORDINATOR_REQUEST_SECONDS, error_of
from consumers.kafka.client import group_id
from consumers.runtime.monitoring.admin_watch import AdminWatch
from consumers.runtime.monitoring.lag import LagMeter
from consumers.runtime.monitoring.membership import Membership
from schemas.clock import Clock
from schemas.settings import KafkaSettings

INTERVAL_SECONDS: Final = 5.0
"""Between two polls: one DescribeGroups request, and one ListOffsets request per leader."""

ANSWER_SECONDS: Final = 6.0
"""How long to wait for the group's members before the client is replaced."""

_UNSUPPORTED: Final = frozenset({KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION})  # noqa: SLF001


_log: Final = structlog.get_logger(__name__)


class MembershipWatch(AdminWatch):
    """Polls the broker for the group's members, then for the lag, from a thread and with a client of its own."""

    def __init__(self, settings: KafkaSettings, lag: LagMeter, *, role: str, clock: Clock) -> None:
        super().__init__(
            settings,
            client_role=f"{role}-watch",
            thread_name="broker-watch",
            interval_seconds=INTERVAL_SECONDS,
        )
        self.membership = Membership(answered_at=clock.monotonic(), member_at=clock.monotonic())
        self._lag = lag
        self._group = group_id(settings, role)
        self._clock = clock
        self._member_id: str | None = None

    def set_member_id(self, member_id: str | None) -> None:
        """Set the id that the group gave this process. From any thread; never blocks; safe to repeat."""
        if member_id != self._member_id:
            self._member_id = member_id
            self.refresh()

    def poll_once(self, client: AdminClient) -> bool:
        """Request the group's members, and measure the lag. Blocks; called on the watch's thread.

        Returns False if the members are still requested: that request must not time out in the client.
        """
        member_id, group = self._member_id, self._group
        response = client.describe_consumer_groups([group], request_timeout=COORDINATOR_REQUEST_SECONDS)[group]
        before, self.membership = self.membership, self._read_membership(response, member_id)
        if before.is_member and not self.membership.is_member:
            _log.warning("the group does not count this process as a member")
        if self.membership.problem is None:
            self._lag.measure(client)
        self._lag.expire()
        return response.done()

    def _read_membership(self, response: "Future[Any]", member_id: str | None) -> Membership:
        error = error_of(response, timeout_seconds=ANSWER_SECONDS)
        now = self._clock.monotonic()
        if error is not None and error.code() in _UNSUPPORTED:
            return Membership(now, now, has_answered=True)
        if error is not None:
            return replace(self.membership, problem=KafkaError(error.code()).str())
        held = {
            member.member_id: frozenset(
                (position.topic, position.partition) for position in member.assignment.topic_partitions
            )
            for member in response.result().members
        }
        is_member = member_id is None or member_id in held
        return Membership(
            answered_at=now,
            member_at=now if is_member else self.membership.member_at,
            has_answered=True,
            is_member=is_member,
            partitions=None if member_id is None else held.get(member_id, frozenset()),
        )
