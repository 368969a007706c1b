"""What the broker says of this process's membership of its group. Pure."""

from dataclasses import dataclass
from typing import Final

from schemas.kafka.delivery import Partition

KAFKA: Final = "kafka"

SILENCE_SECONDS: Final = 15.0
"""A service that has not answered for so long is down: three questions in a row."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What the broker said last, at ``answered_at`` of the clock's monotonic seconds; ``problem`` if it did not.

    ``partitions`` are those that it counts as this member's. None: it has not said, or cannot. ``member_at`` is
    when it last counted this process among the members, or could not say.
    """

    answered_at: float = 0.0
    member_at: float = 0.0
    has_answered: bool = False
    is_member: bool = True
    partitions: frozenset[Partition] | None = None
    problem: str | None = None
