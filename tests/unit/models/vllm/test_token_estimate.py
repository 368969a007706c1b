"""Token estimates from counted samples."""

import pytest

from models.vllm.enrichment.token_estimate import (
    SAMPLE_CHARACTERS,
    SAMPLES,
    TokenEstimate,
    estimate_from,
    samples_of,
)


def test_an_estimate_uses_the_overall_ratio_or_most_of_the_worst() -> None:
    """It adds a margin and never exceeds one token per byte."""
    even = estimate_from(["a" * 100, "b" * 100], [20, 20])
    assert even.tokens_per_byte == pytest.approx(0.2 * 1.05)
    uneven = estimate_from(["a" * 100, "b" * 100], [10, 50])
    assert uneven.tokens_per_byte == pytest.approx(0.8 * 0.5 * 1.05)
    assert estimate_from(["a"], [3]).tokens_per_byte == 1.0
    assert estimate_from([], []) == estimate_from([""], [0]) == TokenEstimate()
    korean = estimate_from(["한국어"], [3])
    assert korean.bytes_per_character == 3
    assert korean.tokens_per_character == pytest.approx(1.05)
    assert (even("a" * 10), even("가")) == (3, 1)
    assert not even.is_a_bound


def test_samples_are_spread_over_a_transcript() -> None:
    """Their number and length are bounded, and none is empty."""
    texts = [f"{number} " + "x" * 2 * SAMPLE_CHARACTERS for number in range(100)]
    samples = samples_of(texts)
    assert len(samples) == SAMPLES + 1
    assert [int(sample.split()[0]) for sample in samples] == list(range(0, 100, 12))
    assert {len(sample) for sample in samples} == {SAMPLE_CHARACTERS}
    assert samples_of(["", " ", "a"]) == ["a"]
    assert len(samples_of(["a"] * 15)) == 15


def test_an_estimate_is_rather_too_large_than_too_small() -> None:
    """One token per byte is an upper bound."""
    estimate = estimate_from(["한국어", "words"], [9, 2])
    assert estimate("한국어") >= 8
    assert TokenEstimate()("abc") == 3
    assert estimate_from(["x"], [5]).is_a_bound
