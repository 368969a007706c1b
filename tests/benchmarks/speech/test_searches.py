"""Slices of the measurements of searches: which scores compare, and what timestamps change at the end."""

from pathlib import Path

import numpy as np
import pytest

from models.selftest import clips
from tests.benchmarks.speech import endings, scores
from tests.benchmarks.speech.single_windows import SingleWindows


@pytest.mark.timeout(600)
def test_scores_of_searches_without_a_penalty_compare(real_whisper: Path) -> None:
    """The same tokens have the same score up to the rounding of int8, whatever the beam."""
    model = SingleWindows(real_whisper)
    found = [scores.scored(model, clip.path) for clip in clips() if clip.language]
    others = ("beam 1", "beam 5, no run of 8 twice")
    pairs = [(each[other], each["beam 5"]) for each in found for other in others]
    same = [(one, five) for one, five in pairs if one.tokens == five.tokens]
    assert same
    for one, five in same:
        assert one.score == pytest.approx(five.score, abs=0.03)


@pytest.mark.parametrize(
    ("texts", "after"),
    [
        (("a b c", "a b c"), (0, 0)),
        (("a b c d", "a b"), (2, 0)),
        (("a b", "a b c"), (0, 1)),
        (("a x c", "a y c"), (0, 0)),
        (("a b x", "a b y z"), (1, 2)),
        (("a", "b"), (1, 1)),
        (("", ""), (0, 0)),
    ],
)
def test_words_after_the_last_common_one_are_counted(texts: tuple[str, str], after: tuple[int, int]) -> None:
    """In both texts: a word in another's place is no lost word."""
    assert endings.words_after((texts[0].split(), texts[1].split())) == after


def test_long_sounds_are_cut_in_the_middle() -> None:
    """One cut of each length, end to end."""
    cuts = list(endings.windows_of(np.ones(80 * 16_000, np.float32)))
    assert [(kind, len(cut) // 16_000) for kind, cut in cuts] == [("cut", 25), ("cut", 26), ("cut", 27)]
