"""Health of a process: the checks live and ready, judged from a snapshot. Pure."""

from collections.abc import Callable
from typing import Final

from consumers.runtime.monitoring.membership import KAFKA
from consumers.runtime.monitoring.snapshot import Snapshot
from schemas.monitoring import HealthReport

TURN_SECONDS: Final = 60.0
"""A loop that has not turned for this long hangs: its longest wait is one request for committed offsets, 10 s."""

STALL_SECONDS: Final = 4 * 3600.0
"""Work in flight without activity for this long is stuck. Files of any length show activity: interim reports."""

DELIVERY_SECONDS: Final = 60.0
"""A batch unconfirmed for this long is stuck: librdkafka reports a delivery failure after 30 s."""

MEMBERSHIP_SECONDS: Final = 300.0
"""A process that the broker has not listed as a member for this long never rejoins: rebalances take seconds."""

_NO_MEMBER: Final = "kafka does not count this process among the members of its consumer group"


HealthCheck = Callable[[], HealthReport]
"""Called on request threads. Must not block."""


def live(snapshot: Snapshot, *, now: float) -> HealthReport:
    """Report whether the process should keep running. A broker or service that is down does not count."""
    turn_age = now - max(snapshot.taken_at, snapshot.turned_at)
    reasons = []
    if turn_age > TURN_SECONDS:
        reasons.append(f"the loop has not turned for {turn_age:.0f} s")
    if not snapshot.outbox_is_alive:
        reasons.append(f"{snapshot.delivery_problem}; only a new process helps")
    if _is_stalled(snapshot, now):
        reasons.append(
            f"{snapshot.in_flight_records} records are in flight and nothing was heard of any for hours"
        )
    outside_seconds = _seconds_outside_group(snapshot, now)
    if outside_seconds > MEMBERSHIP_SECONDS:
        reasons.append(f"{_NO_MEMBER} for {outside_seconds:.0f} s; only a new process helps")
    return HealthReport(not reasons, tuple(reasons), _facts(snapshot, turn_age))


def ready(snapshot: Snapshot, *, now: float) -> HealthReport:
    """Report whether records can be processed.

    The process holds partitions and the broker agrees, the services that it needs answer, and outputs are
    delivered.
    """
    reasons = []
    if not snapshot.partitions:
        reasons.append("the consumer group has not assigned any partition")
    if snapshot.is_draining:
        reasons.append("draining before the end")
    if snapshot.dependencies_down:
        reasons.append(f"waiting for {', '.join(snapshot.dependencies_down)}")
    reasons += _silent_services(snapshot, now)
    reasons += _membership_problems(snapshot, now)
    if snapshot.delivery_problem:
        reasons.append(snapshot.delivery_problem)
    elif snapshot.oldest_undelivered_age_seconds > DELIVERY_SECONDS:
        reasons.append(f"outputs are not confirmed for {snapshot.oldest_undelivered_age_seconds:.0f} s")
    return HealthReport(not reasons, tuple(reasons), _facts(snapshot, now - snapshot.turned_at))


def _is_stalled(snapshot: Snapshot, now: float) -> bool:
    is_working = snapshot.in_flight_records > 0 and not snapshot.dependencies_down
    return is_working and now - snapshot.active_at > STALL_SECONDS


def _seconds_outside_group(snapshot: Snapshot, now: float) -> float:
    """Return how long the broker has not listed this process as a member; 0 if it does, or does not answer."""
    member = snapshot.membership
    if member.is_member or KAFKA in snapshot.silence_seconds(now=now):
        return 0.0
    return now - member.member_at


def _silent_services(snapshot: Snapshot, now: float) -> list[str]:
    return [
        f"{service} has not answered for {seconds:.0f} s"
        for service, seconds in sorted(snapshot.silence_seconds(now=now).items())
        if service not in snapshot.dependencies_down
    ]


def _membership_problems(snapshot: Snapshot, now: float) -> list[str]:
    member = snapshot.membership
    if KAFKA in snapshot.silence_seconds(now=now):
        return [member.problem] if member.problem else []
    if not member.has_answered:
        return ["kafka has not confirmed the membership of the consumer group yet"]
    if not member.is_member:
        return [_NO_MEMBER]
    if snapshot.partitions and member.partitions is not None and member.partitions.isdisjoint(snapshot.partitions):
        return ["kafka says that none of the partitions held are this process's"]
    return []


def _facts(snapshot: Snapshot, turn_age: float) -> dict[str, object]:
    return {
        "last_turn_age_seconds": round(turn_age, 3),
        "partitions": len(snapshot.partitions),
        "in_flight_records": snapshot.in_flight_records,
        "in_flight_audio_seconds": round(snapshot.in_flight_audio_seconds, 1),
        "waiting_records": snapshot.waiting_records,
        "undelivered_records": snapshot.undelivered_records,
        "oldest_undelivered_age_seconds": round(snapshot.oldest_undelivered_age_seconds, 3),
    }
