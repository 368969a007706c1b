"""The embedded stack's processes: what a restart mends, and what it does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kascribe.embedded.children import HEALTHY_SECONDS, RESTART_DELAY_SECONDS, RESTART_LIMIT, Child, Children
from schemas.errors import ConfigurationError, KascribeError
from tests.support.clock import HandClock
from tests.support.waiting import eventually

DIES_AT_ONCE = {"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere"}
"""The interpreter finds no library and ends with exit code 1, without a word of ours and before it imports any."""


@pytest.fixture
def clock() -> HandClock:
    """Time that stands still until the test moves it."""
    return HandClock()


@pytest.fixture
def children(clock: HandClock) -> Iterator[Children]:
    """None yet; what is started is ended."""
    tended = Children(stop_timeout_seconds=10, clock=clock)
    yield tended
    tended.close()


def tended_after_death(children: Children, child: Child, clock: HandClock) -> list[str]:
    """Return the sentences once a child has died, and once its restart is due."""
    eventually(lambda: child.exit_code is not None, timeout_seconds=30, what="the child's end")
    said = children.supervise()
    clock.seconds += RESTART_DELAY_SECONDS
    return said + children.supervise()


def test_a_child_that_dies_too_often_is_said_to_be_lost(
    children: Children, clock: HandClock, tmp_path: Path
) -> None:
    """Not passed by in silence: without it nothing is transcribed."""
    child = children.start("transcriber", DIES_AT_ONCE, tmp_path / "log")
    for number in range(1, RESTART_LIMIT + 1):
        assert "restarted" in tended_after_death(children, child, clock)[-1]
        assert child.restarts == number
    with pytest.raises(KascribeError, match="transcriber ended 6 times, now with exit code 1"):
        tended_after_death(children, child, clock)


def test_deaths_long_ago_do_not_count(children: Children, clock: HandClock, tmp_path: Path) -> None:
    """A child that has run for a while is well again."""
    child = children.start("transcriber", DIES_AT_ONCE, tmp_path / "log")
    tended_after_death(children, child, clock)
    child.environment = {}
    tended_after_death(children, child, clock)
    assert child.restarts == 2
    assert child.exit_code is None
    clock.seconds += HEALTHY_SECONDS
    children.supervise()
    assert child.restarts == 0


def test_a_setting_that_is_wrong_is_said_and_not_tried_again(children: Children, tmp_path: Path) -> None:
    """In the words of the role, which name the setting."""
    child = children.start("transcriber", {"KASCRIBE_SERVER_PORT": "many"}, tmp_path / "log")
    eventually(lambda: child.exit_code is not None, timeout_seconds=60, what="the child's end")
    with pytest.raises(ConfigurationError, match="transcriber did not start: KASCRIBE_SERVER_PORT is 'many'"):
        children.supervise()


def test_who_needs_every_child_hears_at_once_that_one_ended(children: Children, tmp_path: Path) -> None:
    """With what it said last, since its log may not outlive us."""
    child = children.start("transcriber", {"KASCRIBE_SERVER_PORT": "many"}, tmp_path / "log")
    children.check()
    eventually(lambda: child.exit_code is not None, timeout_seconds=60, what="the child's end")
    with pytest.raises(KascribeError, match="exit code 2: KASCRIBE_SERVER_PORT is 'many'"):
        children.check()
