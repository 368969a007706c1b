"""The faults of a run, each with what undoes it. Blocks for as long as a fault lasts."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from confluent_kafka.admin import AdminClient

from deploy.stack import Stack
from tests.chaos.delivery.workers import Workers

FROZEN_SECONDS: Final = 9.0
"""Longer than the session timeout of 6 s: the group gives the partitions to others meanwhile."""
BROKER_DOWN_SECONDS: Final = (0.5, 4.0)
GAP_SECONDS: Final = (0.2, 3.0)
CALL_SECONDS: Final = 10.0

WEIGHTS: Final[Mapping[str, int]] = {
    "kill": 5,
    "kill two at once": 1,
    "kill all": 1,
    "freeze": 3,
    "restart": 2,
    "broker": 2,
    "coordinator": 2,
    "scale": 2,
}


@dataclass(slots=True)
class Faults:
    """Draws faults with a seeded generator, and carries them out. ``count`` is how many processes were hit."""

    workers: Workers
    stack: Stack
    group: str
    brokers: int
    random: Random
    count: int = 0

    def one(self) -> str:
        """Carry out one fault; return its name."""
        name = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        actions: Mapping[str, Callable[[], None]] = {
            "kill": lambda: self.workers.kill(self._slot()),
            "kill two at once": self._kill_two,
            "kill all": self.workers.kill_all,
            "freeze": self._freeze,
            "restart": lambda: self.workers.restart(self._slot()),
            "broker": lambda: self._bounce(self.random.randint(1, self.brokers)),
            "coordinator": lambda: self._bounce(self._coordinator()),
            "scale": self._scale,
        }
        actions[name]()
        self.count += 1
        self.pause(self.random.uniform(*GAP_SECONDS))
        return name

    def pause(self, seconds: float) -> None:
        """Let the processes work for so long."""
        threading.Event().wait(seconds)

    def _slot(self) -> int:
        return self.random.choice(self.workers.slots)

    def _kill_two(self) -> None:
        for slot in self.random.sample(self.workers.slots, 2):
            self.workers.kill(slot)

    def _freeze(self) -> None:
        slot = self._slot()
        self.workers.freeze(slot)
        self.pause(FROZEN_SECONDS)
        self.workers.thaw(slot)

    def _bounce(self, node: int) -> None:
        self.stack.kafka_kill(node)
        self.pause(self.random.uniform(*BROKER_DOWN_SECONDS))
        self.stack.kafka_start(node)

    def _coordinator(self) -> int:
        admin = AdminClient({"bootstrap.servers": self.stack.bootstrap_servers, "log_level": 0})
        (described,) = admin.describe_consumer_groups([self.group], request_timeout=CALL_SECONDS).values()
        coordinator = described.result().coordinator
        return int(coordinator.id) if coordinator is not None else 1

    def _scale(self) -> None:
        """Add a process, let it work, and let it drain."""
        slot = max(self.workers.slots) + 1
        self.workers.start(slot)
        self.pause(self.random.uniform(*BROKER_DOWN_SECONDS))
        self.workers.remove(slot)
