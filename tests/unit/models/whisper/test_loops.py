"""Loops are cut to their first occurrence."""

import pytest

from models.whisper.text.loops import OCCURRENCES, REPEATED_TOKENS, without_loops


@pytest.mark.parametrize(
    ("tokens", "kept"),
    [
        ([7] * 224, [7]),
        ([1, 2, *[7, 8, 9] * 20], [1, 2, 7, 8, 9]),
        ([1, 2, *[7, 8, 9] * 20, 7], [1, 2, 7, 8, 9]),
        ([*[7, 8, 9] * 20, 5, 6], [7, 8, 9, 5, 6]),
        ([*[7, 8, 9] * 20, 7, 5, 6], [7, 8, 9, 7, 5, 6]),
        ([*[7] * 20, 5, *[3, 4] * 20], [7, 5, 3, 4]),
        ([*range(40), *range(40), *range(40)], list(range(40))),
    ],
    ids=["one-token", "at-the-end", "broken-off", "text-after", "broken-off-before-text", "two", "sentence"],
)
def test_a_loop_is_cut_to_its_first_occurrence(tokens: list[int], kept: list[int]) -> None:
    """Text before and after it stands; what the last occurrence left unfinished at the end does not."""
    assert without_loops(tokens) == tuple(kept)


@pytest.mark.parametrize(
    "tokens",
    [[], [7], [7] * REPEATED_TOKENS, [*range(40), *range(40)], [1, 2, 3, 1, 2, 4] * (OCCURRENCES - 1)],
    ids=["nothing", "one", "short", "twice", "twice-with-a-change"],
)
def test_what_speakers_repeat_stands(tokens: list[int]) -> None:
    """A loop writes at least eight tokens again, and the same run three times."""
    assert without_loops(tokens) == tuple(tokens)
    assert len(without_loops([7] * (REPEATED_TOKENS + 1))) == 1
