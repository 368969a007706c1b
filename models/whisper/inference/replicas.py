"""Replicas of the model: which are idle, and which lanes they serve. No threads, no inference."""

from dataclasses import dataclass, field
from typing import Final

from models.whisper.inference.scheduler import Scheduler
from models.whisper.rows import Row
from schemas.options import Lane


@dataclass(slots=True, eq=False)
class ReplicaGroup:
    """Replicas that serve one lane, or all. Not thread-safe."""

    replicas: range
    lane: Lane | None = None
    serving: int = 0  # workers that have a batch, in a call or prepared for the next one
    idle: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.idle = list(reversed(self.replicas))

    @property
    def is_busy(self) -> bool:
        """Whether there is a batch for each replica."""
        return self.serving >= len(self.replicas)

    def take(self, scheduler: Scheduler, limit: int) -> list[Row]:
        """Take the next batch while a replica has none; while all have one, only a batch that is full."""
        queued = scheduler.queued(self.lane)
        return scheduler.take(limit, self.lane) if queued and (not self.is_busy or queued >= limit) else []


class Replicas:
    """All replicas of a model: those for every row, and those kept for rows of the interactive lane.

    A kept replica takes a row only while the others are busy: so an interactive row never waits for a running call
    of bulk rows, and shares the device with it instead.
    """

    def __init__(self, shared: int, kept: int) -> None:
        self.shared: Final = ReplicaGroup(range(shared))
        self.kept: Final = ReplicaGroup(range(shared, shared + kept), Lane.INTERACTIVE)

    def __len__(self) -> int:
        return len(self.shared.replicas) + len(self.kept.replicas)

    def take(self, group: ReplicaGroup, scheduler: Scheduler, limit: int) -> list[Row]:
        """Take the next batch for a worker of this group; empty when there is none for it now."""
        if group is self.kept and not self.shared.is_busy:
            return []
        return group.take(scheduler, limit)
