"""What a snapshot means: is the process alive, can it do work. Pure."""

import time
from typing import Final

from consumers.runtime.monitoring.membership import KAFKA
from consumers.runtime.monitoring.server import Verdict
from consumers.runtime.monitoring.snapshot import Snapshot

TURN_SECONDS: Final = 60.0
"""A loop that did not turn for this long hangs: its longest wait is one question about committed offsets, 10 s."""

STALL_SECONDS: Final = 4 * 3600.0
"""Work in flight and no sign of it for this long. A file of any length gives signs: what is heard is reported."""

DELIVERY_SECONDS: Final = 60.0
"""A batch that is on its way for so long is stuck; the client gives an output up, and is asked why, after 30 s."""


MEMBERSHIP_SECONDS: Final = 300.0
"""A broker that answers has not counted this process among the members for so long: rebalances take seconds."""


_NO_MEMBER: Final = "kafka does not count this process among the members of its consumer group"


def live(snapshot: Snapshot, *, now: float | None = None) -> Verdict:
    """Whether the process should go on living. Brokers and services that are down do not count against it."""
    now = time.monotonic() if now is None else now
    turn_age = now - max(snapshot.at, snapshot.listened_at)
    stalled = snapshot.in_flight_records > 0 and not snapshot.dependencies_down
    reasons = []
    if turn_age > TURN_SECONDS:
        reasons.append(f"the loop has not turned for {turn_age:.0f} s")
    if not snapshot.outbox_is_alive:
        reasons.append(f"{snapshot.delivery_problem}; only a new process helps")
    if stalled and now - snapshot.heard_at > STALL_SECONDS:
        reasons.append(
            f"{snapshot.in_flight_records} records are in flight and nothing was heard of any for hours"
        )
    member = snapshot.membership
    if not member.is_member and KAFKA not in snapshot.silence_seconds(now=now):
        age = now - member.member_at
        if age > MEMBERSHIP_SECONDS:
            reasons.append(f"{_NO_MEMBER} for {age:.0f} s; only a new process helps")
    return Verdict(not reasons, tuple(reasons), _facts(snapshot, turn_age))


def ready(snapshot: Snapshot, *, now: float | None = None) -> Verdict:
    """Whether records can be worked on: the process holds partitions and the broker says so too, what it needs
    answers, results leave."""
    now = time.monotonic() if now is None else now
    reasons = []
    if not snapshot.partitions:
        reasons.append("the consumer group has not assigned any partition")
    if snapshot.draining:
        reasons.append("draining before the end")
    if snapshot.dependencies_down:
        reasons.append(f"waiting for {', '.join(snapshot.dependencies_down)}")
    reasons += _unanswered(snapshot, now)
    if snapshot.delivery_problem:
        reasons.append(snapshot.delivery_problem)
    elif snapshot.oldest_undelivered_age_seconds > DELIVERY_SECONDS:
        reasons.append(f"outputs are not confirmed for {snapshot.oldest_undelivered_age_seconds:.0f} s")
    return Verdict(not reasons, tuple(reasons), _facts(snapshot, now - snapshot.listened_at))


def _unanswered(snapshot: Snapshot, now: float) -> list[str]:
    silence = snapshot.silence_seconds(now=now)
    member = snapshot.membership
    reasons = [
        f"{service} has not answered for {seconds:.0f} s"
        for service, seconds in sorted(silence.items())
        if service not in snapshot.dependencies_down
    ]
    if KAFKA in silence:
        return [*reasons, *filter(None, [member.problem])]
    if not member.has_answered:
        reasons.append("kafka has not confirmed the membership of the consumer group yet")
    elif not member.is_member:
        reasons.append(_NO_MEMBER)
    elif (
        snapshot.partitions and member.partitions is not None and not (member.partitions & {*snapshot.partitions})
    ):
        reasons.append("kafka says that none of the partitions held are this process's")
    return reasons


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
