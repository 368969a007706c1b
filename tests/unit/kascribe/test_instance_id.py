"""Joining the group again after a crash, while the broker still counts the old process as a member."""

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from kascribe.process import instance_id
from kascribe.process.health import RoleHealth
from kascribe.process.instance_id import INSTANCE_ID_SECONDS, run_when_admitted
from kascribe.process.shutdown import Shutdown
from schemas.errors import InstanceIdInUse
from tests.support.clock import HandClock

if TYPE_CHECKING:
    from consumers.runtime.runtime import Runtime


class Attempts:
    """Runtimes that the group refuses ``refusals`` times, ``seconds`` each, before one runs to its end."""

    def __init__(self, clock: HandClock, health: RoleHealth, *, refusals: int, seconds: float) -> None:
        self.made = 0
        self.reasons: list[str] = []
        self._clock, self._health = clock, health
        self._refusals, self._seconds = refusals, seconds

    def __call__(self) -> "Runtime":
        """Make the next runtime, and note why the role is not ready before it."""
        self.made += 1
        self.reasons.append(self._health.why_not_ready)
        return cast("Runtime", self)

    def stop(self) -> None:
        """Ignore signals: no runtime gets as far."""

    def run(self) -> None:
        """Take the time of an attempt; raise InstanceIdInUse while the group refuses it."""
        self._clock.seconds += self._seconds
        if self.made <= self._refusals:
            raise InstanceIdInUse("the id is in use")


@pytest.fixture
def shutdown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shutdown]:
    """Provide signals, and no pauses between attempts."""
    monkeypatch.setattr(instance_id, "INSTANCE_ID_RETRY_SECONDS", 0.0)
    made = Shutdown(limit_seconds=3_600.0, end=lambda _: None)
    yield made
    made.close()


def test_a_new_process_joins_once_the_broker_has_dropped_the_old_one(shutdown: Shutdown) -> None:
    """Until then the role is not ready, and its health has the reason."""
    clock, health = HandClock(), RoleHealth()
    attempts = Attempts(clock, health, refusals=2, seconds=20.0)
    run_when_admitted(attempts, health, shutdown, clock=clock)
    assert attempts.reasons == ["starting", "the id is in use", "the id is in use"]


def test_an_id_that_stays_in_use_ends_the_process(shutdown: Shutdown) -> None:
    """Another process runs with it: the error names it once the broker's time for a crashed one is over."""
    clock, health = HandClock(), RoleHealth()
    attempts = Attempts(clock, health, refusals=9, seconds=INSTANCE_ID_SECONDS / 2)
    with pytest.raises(InstanceIdInUse):
        run_when_admitted(attempts, health, shutdown, clock=clock)
    assert attempts.made == 2


def test_a_signal_ends_the_wait(shutdown: Shutdown) -> None:
    """A process that is not admitted yet has nothing to drain."""
    clock, health = HandClock(), RoleHealth()
    shutdown.pass_to(lambda: None)
    shutdown.handle(signal.SIGTERM)
    attempts = Attempts(clock, health, refusals=9, seconds=1.0)
    run_when_admitted(attempts, health, shutdown, clock=clock)
    assert attempts.made == 1
