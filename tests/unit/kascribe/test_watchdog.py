"""A hanging engine ends its process, and only then."""

import threading

from kascribe.process.watchdog import EXIT_CODE, ended_when_hanging
from tests.support.waiting import eventually


def test_a_hanging_engine_ends_the_process() -> None:
    """With the code by which a supervisor knows that it was no orderly end."""
    well = threading.Event()
    well.set()
    ended: list[int] = []
    with ended_when_hanging(well.is_set, end=ended.append, check_seconds=0.01):
        well.clear()
        eventually(lambda: ended, timeout_seconds=30, what="the end of the process")
    assert ended == [EXIT_CODE]


def test_a_working_engine_is_left_alone() -> None:
    """However often it is looked at."""
    looks = []
    ended: list[int] = []

    def is_well() -> bool:
        looks.append(True)
        return True

    with ended_when_hanging(is_well, end=ended.append, check_seconds=0.001):
        eventually(lambda: len(looks) > 10, timeout_seconds=30, what="ten looks")
    assert not ended
