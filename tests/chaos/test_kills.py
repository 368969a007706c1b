"""A slice of ``make chaos-kills``."""

from random import Random
from typing import Final

from tests.chaos.kills import kill_again_and_again
from tests.flow.mock_cluster import MockCluster

RECORDS: Final = 60
KILLS: Final = 3


def test_processes_that_are_killed_from_outside_give_no_record_up() -> None:
    """Every record comes out, and there is no dead letter."""
    with MockCluster() as broker:
        assert kill_again_and_again(broker, records=RECORDS, kills=KILLS, random=Random(1)) == 0
