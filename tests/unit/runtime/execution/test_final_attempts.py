"""Whether an attempt is a record's last: the stage is given what the runtime decides."""

from typing import Final

import pytest

from schemas.errors import AudioNotFound, AudioUndecodable, DependencyDown, EngineFailed
from schemas.kafka import history
from schemas.kafka.history import History
from schemas.kafka.records import Coordinates
from schemas.kafka.topics import retry_topic
from schemas.settings import RuntimeSettings
from tests.unit.runtime.runtime_bench import runtime_bench

TWO_RETRIES: Final = RuntimeSettings(retry_delays_seconds=(10, 60))
RETRIES: Final = retry_topic("in", 10)


@pytest.mark.parametrize(
    ("error", "last_attempt"),
    [
        (AudioUndecodable("permanent"), 1),
        (EngineFailed("transient"), 3),
        (ZeroDivisionError("a mistake of ours"), 3),
        (AudioNotFound("bounded by its own limit"), 3),
        (DependencyDown("s3", "down"), None),
    ],
)
def test_a_stage_learns_whether_an_error_ends_in_a_dead_letter(error: Exception, last_attempt: int | None) -> None:
    """In the attempt with which the record is given up and in none before; a pause is no end."""
    past = (history.write(History(attempt, Coordinates("in", 0, 5), 0), ()) for attempt in (1, 2, 3))
    with runtime_bench((0, ""), topic=RETRIES, settings=TWO_RETRIES) as bench:
        for offset, headers in enumerate(past):
            bench.arrive(offset, headers=headers)
        flights = bench.turn()
    assert [flight.attempt for flight in flights] == [1, 2, 3]
    final = [flight.attempt for flight in flights if flight.as_job().is_final(error)]
    assert final == ([] if last_attempt is None else list(range(last_attempt, 4)))


def test_a_dependency_that_only_this_record_finds_down_ends_it_after_its_pauses() -> None:
    """The service answers its probe: then it counts as a transient failure of the record's own."""
    with runtime_bench((0, ""), topic=RETRIES, settings=RuntimeSettings(retry_delays_seconds=())) as bench:
        bench.arrive(0)
        (flight,) = bench.turn()
    down = DependencyDown("s3", "down")
    assert not flight.as_job().is_final(down)
    flight.pauses = 99
    assert flight.as_job().is_final(down)
