"""The membership of this process in its consumer group, as the broker reports it. Pure."""

from dataclasses import dataclass
from typing import Final

from schemas.kafka.delivery import Partition

KAFKA: Final = "kafka"

SILENCE_SECONDS: Final = 15.0
"""A service that has not answered for this long is down: it has missed three polls in a row."""


@dataclass(frozen=True, slots=True)
class Membership:
    """The broker's last answer, and when it came. Times are the clock's monotonic seconds.

    ``problem`` says why the latest request failed. ``partitions`` are those assigned to this member; None if
    unknown, or if the broker cannot tell. ``member_at`` is when the broker last listed this process as a member,
    or could not tell.
    """

    answered_at: float = 0.0
    member_at: float = 0.0
    has_answered: bool = False
    is_member: bool = True
    partitions: frozenset[Partition] | None = None
    problem: str | None = None
