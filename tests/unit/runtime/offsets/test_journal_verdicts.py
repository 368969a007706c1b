"""Which records are given up when processes end again and again: the intake on a clock moved by hand."""

from dataclasses import dataclass, field
from math import inf
from random import Random

import pytest

from consumers.runtime.partition import Flight
from schemas.kafka.delivery import Commit
from schemas.settings import RuntimeSettings
from tests.unit.runtime.taking_in import TakingIn, taking_in

KILLS = 47
INNOCENT = 700
STEP_SECONDS = 0.1
REST_SECONDS = RuntimeSettings().killer_rest_seconds


@dataclass
class World:
    """One partition's records, how long each runs, and what its commit says. ``killers`` end their process."""

    seconds: dict[int, float]
    killers: frozenset[int] = frozenset()
    committed: Commit = field(default_factory=lambda: Commit(0))
    given_up: list[int] = field(default_factory=list)
    completed: set[int] = field(default_factory=set)
    ends: int = 0

    @property
    def over(self) -> bool:
        """Whether every record is complete or given up."""
        return len(self.completed) + len(set(self.given_up)) == len(self.seconds)

    def live(self, *, killed_after: float, settings: RuntimeSettings) -> None:
        """A process from its assignment until it is killed, a killer record ends it, or nothing is left."""
        with taking_in((self.committed.offset, self.committed.metadata), settings=settings) as bench:
            partition = bench.assignment.partitions["in", 0]
            bench.arrive(*range(self.committed.offset, len(self.seconds)))
            running: dict[Flight, float] = {}
            while not self.over:
                if bench.clock.seconds >= killed_after or any(self._ends(flight) for flight in running):
                    self.ends += 1
                    break
                for flight in bench.turn():
                    never = flight.record.offset in self.killers
                    running[flight] = inf if never else bench.clock.seconds + self.seconds[flight.record.offset]
                self._give_up(bench)
                bench.clock.seconds += STEP_SECONDS
                for flight in [flight for flight, end in running.items() if end <= bench.clock.seconds]:
                    del running[flight]
                    self.completed.add(flight.record.offset)
                    bench.complete(flight)
            self.committed = partition.books.confirmed

    def _ends(self, flight: Flight) -> bool:
        return flight.record.offset in self.killers

    def _give_up(self, bench: TakingIn) -> None:
        for flight in bench.dispatch.take_set_aside():
            self.given_up.append(flight.record.offset)
            bench.dispatch.release(flight)
            bench.committer.complete(flight, ())


def _records(random: Random, count: int = INNOCENT) -> dict[int, float]:
    return {offset: random.expovariate(1 / 0.8) for offset in range(count)}


@pytest.mark.parametrize("attempts", [RuntimeSettings().killer_attempts, 3])
@pytest.mark.parametrize("seed", range(3))
def test_processes_that_are_killed_from_outside_cost_no_innocent_record(seed: int, attempts: int) -> None:
    """47 kills over 700 records, a few seconds apart: every record completes, none is a dead letter."""
    random = Random(seed)
    world = World(_records(random))
    settings = RuntimeSettings(killer_attempts=attempts, in_flight_records=16)
    for _ in range(KILLS):
        world.live(killed_after=random.uniform(1, 8), settings=settings)
    world.live(killed_after=inf, settings=settings)
    assert (world.given_up, len(world.completed)) == ([], INNOCENT)


@pytest.mark.parametrize("attempts", [3, 4, 6])
def test_killers_are_given_up_and_their_neighbours_complete(attempts: int) -> None:
    """Three of them in one partition, each after as many ends as the setting says, or fewer than as many more."""
    world = World(_records(Random(1), 40), killers=frozenset({3, 4, 30}))
    settings = RuntimeSettings(killer_attempts=attempts, in_flight_records=16)
    while not world.over:
        world.live(killed_after=inf, settings=settings)
        assert world.ends <= 3 * attempts
    assert sorted(world.given_up) == [3, 4, 30]
    assert world.completed == set(range(40)) - {3, 4, 30}


def test_a_single_killer_is_given_up_after_as_many_ends_as_the_setting_says() -> None:
    """No more, and no fewer."""
    for attempts in (3, 4, 5):
        world = World(_records(Random(2), 20), killers=frozenset({7}))
        while not world.over:
            world.live(killed_after=inf, settings=RuntimeSettings(killer_attempts=attempts))
        assert (world.given_up, world.ends) == ([7], attempts)


def test_a_killer_among_kills_from_outside_is_found_all_the_same() -> None:
    """They add nothing to what is known of it, and take nothing away."""
    random = Random(5)
    world = World(_records(random, 60), killers=frozenset({11}))
    settings = RuntimeSettings(in_flight_records=16)
    for _ in range(20):
        world.live(killed_after=random.uniform(1, 2 * REST_SECONDS), settings=settings)
    while not world.over:
        world.live(killed_after=inf, settings=settings)
    assert world.given_up == [11]
    assert len(world.completed) == 59
