"""Cursors: positions in Kafka as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.gateway.events.cursors import Frontier, Position

OFFSETS = st.integers(0, 10**18 - 1)


@given(st.integers(0, 999_999), OFFSETS)
def test_a_position_is_read_as_it_was_written(partition: int, offset: int) -> None:
    """Whatever replica reads it."""
    assert Position.parse(str(Position(partition, offset))) == Position(partition, offset)


@given(st.lists(OFFSETS, min_size=1, max_size=100))
def test_a_frontier_is_read_as_it_was_written(offsets: list[int]) -> None:
    """One number for each partition."""
    assert Frontier.parse(str(Frontier(tuple(offsets)))) == Frontier(tuple(offsets))


@pytest.mark.parametrize("text", ["", "-", "1", "1-", "-1", "1-2-3", "a-1", "1- 2", "1-²", "0" * 7 + "-1", "1.2"])
def test_another_text_is_no_position(text: str) -> None:
    """It is refused, not guessed."""
    assert Position.parse(text) is None


@pytest.mark.parametrize("text", ["", ".", "1.", ".1", "1..2", "1-2", "x", "1.-2", "1.²", "1." * 9_000 + "1"])
def test_another_text_is_no_frontier(text: str) -> None:
    """It is refused, not guessed."""
    assert Frontier.parse(text) is None


def test_a_frontier_moves_forward_only() -> None:
    """Each event moves its partition; a partition that was added is added."""
    frontier = Frontier.of({1: 5, 0: 3})
    assert frontier == Frontier((3, 5))
    assert frontier.after(Position(0, 7)) == Frontier((8, 5))
    assert frontier.after(Position(1, 2)) == frontier
    assert frontier.after(Position(3, 0)) == Frontier((3, 5, 0, 1))
