"""Which records are set aside when processes crash again and again: the runtime on a clock moved by hand."""

from dataclasses import dataclass, field
from math import inf
from random import Random

import pytest

from consumers.runtime.partition import Flight
from schemas.kafka.delivery import Commit
from schemas.settings import RuntimeSettings
from tests.unit.runtime.runtime_bench import RuntimeBench, runtime_bench

KILLS = 47
RECORDS = 700
STEP_SECONDS = 0.1
REST_SECONDS = RuntimeSettings().killer_rest_seconds


@dataclass
class World:
    """One partition's records, how long each runs, and its last commit. ``killers`` crash their process."""

    seconds: dict[int, float]
    killers: frozenset[int] = frozenset()
    committed: Commit = field(default_factory=lambda: Commit(0))
    set_aside: list[int] = field(default_factory=list)
    completed: set[int] = field(default_factory=set)
    crashes: int = 0

    @property
    def is_over(self) -> bool:
        """Whether every record is complete or set aside."""
        return len(self.completed) + len(set(self.set_aside)) == len(self.seconds)

    def run(self, *, killed_after: float, settings: RuntimeSettings) -> None:
        """Run a process from its assignment until it is killed, a record crashes it, or no record is left."""
        with runtime_bench((self.committed.offset, self.committed.metadata), settings=settings) as bench:
            partition = bench.assignment.partitions["in", 0]
            bench.arrive(*range(self.committed.offset, len(self.seconds)))
            running: dict[Flight, float] = {}
            while not self.is_over:
                if bench.clock.seconds >= killed_after or any(self._crashes(flight) for flight in running):
                    self.crashes += 1
                    break
                for flight in bench.turn():
                    never = flight.record.offset in self.killers
                    running[flight] = inf if never else bench.clock.seconds + self.seconds[flight.record.offset]
                self._set_aside(bench)
                bench.clock.seconds += STEP_SECONDS
                for flight in [flight for flight, end in running.items() if end <= bench.clock.seconds]:
                    del running[flight]
                    self.completed.add(flight.record.offset)
                    bench.complete(flight)
            self.committed = partition.books.confirmed

    def _crashes(self, flight: Flight) -> bool:
        return flight.record.offset in self.killers

    def _set_aside(self, bench: RuntimeBench) -> None:
        for flight in bench.dispatch.take_set_aside():
            self.set_aside.append(flight.record.offset)
            bench.dispatch.release(flight)
            bench.committer.complete(flight, ())


def _records(random: Random, count: int = RECORDS) -> dict[int, float]:
    return {offset: random.expovariate(1 / 0.8) for offset in range(count)}


@pytest.mark.parametrize("attempts", [RuntimeSettings().killer_attempts, 3])
@pytest.mark.parametrize("seed", range(3))
def test_kills_from_outside_set_no_record_aside(seed: int, attempts: int) -> None:
    """47 kills over 700 records, a few seconds apart: every record completes, none is a dead letter."""
    random = Random(seed)
    world = World(_records(random))
    settings = RuntimeSettings(killer_attempts=attempts, in_flight_records=16)
    for _ in range(KILLS):
        world.run(killed_after=random.uniform(1, 8), settings=settings)
    world.run(killed_after=inf, settings=settings)
    assert (world.set_aside, len(world.completed)) == ([], RECORDS)


@pytest.mark.parametrize("attempts", [3, 4, 6])
def test_records_that_crash_are_set_aside_and_their_neighbours_complete(attempts: int) -> None:
    """Three of them in one partition; together they crash at most three times as often as the setting allows."""
    world = World(_records(Random(1), 40), killers=frozenset({3, 4, 30}))
    settings = RuntimeSettings(killer_attempts=attempts, in_flight_records=16)
    while not world.is_over:
        world.run(killed_after=inf, settings=settings)
        assert world.crashes <= 3 * attempts
    assert sorted(world.set_aside) == [3, 4, 30]
    assert world.completed == set(range(40)) - {3, 4, 30}


def test_a_single_record_is_set_aside_after_as_many_crashes_as_the_setting_says() -> None:
    """No more, and no fewer."""
    for attempts in (3, 4, 5):
        world = World(_records(Random(2), 20), killers=frozenset({7}))
        while not world.is_over:
            world.run(killed_after=inf, settings=RuntimeSettings(killer_attempts=attempts))
        assert (world.set_aside, world.crashes) == ([7], attempts)


def test_a_record_that_crashes_is_found_among_kills_from_outside() -> None:
    """They add nothing to its counts, and take nothing away."""
    random = Random(5)
    world = World(_records(random, 60), killers=frozenset({11}))
    settings = RuntimeSettings(in_flight_records=16)
    for _ in range(20):
        world.run(killed_after=random.uniform(1, 2 * REST_SECONDS), settings=settings)
    while not world.is_over:
        world.run(killed_after=inf, settings=settings)
    assert world.set_aside == [11]
    assert len(world.completed) == 59
