"""Planning: every segment is seen, budgets hold, and merging ends, for any text and context."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vllm.enrichment.planner import (
    SHRINK,
    Chunk,
    Passage,
    Point,
    chunks_of,
    completion_tokens,
    groups_of,
    halve,
    passages_of,
    prompt_tokens,
    shrink,
    split_text,
    total_tokens,
    trim,
)
from schemas.transcripts.transcript import Segment

WORDS = st.text(alphabet="ab cdé한国\U0001f600", max_size=120)
SEGMENTS = st.lists(WORDS, max_size=30).map(
    lambda texts: [Segment(id=n, start=n, end=n + 1, text=text) for n, text in enumerate(texts)]
)
BUDGETS = st.integers(min_value=24, max_value=400)
POINTS = st.lists(
    st.builds(Point, WORDS, st.lists(st.integers(0, 99_999), max_size=12).map(tuple)), min_size=1, max_size=40
)


def in_bytes(text: str) -> int:
    """Count one token per byte."""
    return len(text.encode())


@given(SEGMENTS, BUDGETS)
def test_every_segment_is_in_some_chunk_and_no_chunk_exceeds_its_budget(
    segments: list[Segment], budget: int
) -> None:
    """Nothing is left out, and every request fits."""
    chunks = chunks_of(passages_of(segments, in_bytes, limit_tokens=budget), budget_tokens=budget)
    assert {number for chunk in chunks for number in chunk.segment_ids} == {segment.id for segment in segments}
    assert all(in_bytes("\n".join(chunk.lines)) + 1 <= max(chunk.tokens, 1) <= budget for chunk in chunks)


@given(SEGMENTS, BUDGETS)
def test_no_word_of_a_segment_is_lost_by_splitting(segments: list[Segment], budget: int) -> None:
    """The passages of a segment are its text, except for the spaces at the cuts."""
    passages = passages_of(segments, in_bytes, limit_tokens=budget)
    for segment in segments:
        pieces = "".join(passage.text for passage in passages if passage.segment_id == segment.id)
        assert pieces.replace(" ", "") == segment.text.replace(" ", "")


@given(SEGMENTS, BUDGETS)
def test_a_chunk_repeats_at_most_the_last_passage_of_the_previous_one(
    segments: list[Segment], budget: int
) -> None:
    """Overlap gives context, and every chunk still advances."""
    passages = passages_of(segments, in_bytes, limit_tokens=budget)
    chunks = chunks_of(passages, budget_tokens=budget)
    fresh = [passage for chunk in chunks for passage in chunk.passages[chunk.repeated :]]
    assert fresh == passages
    for before, after in itertools.pairwise(chunks):
        assert after.passages[: after.repeated] == before.passages[len(before.passages) - after.repeated :]
        assert len(after.passages) > after.repeated


def passages(*sizes: int) -> list[Passage]:
    """Return passages of these sizes, numbered from 0."""
    return [Passage(number, "x", size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "planned"),
    [
        ((40, 35, 25, 40, 35), [([0, 1, 2], 0), ([2, 3, 4], 1)]),
        ((50, 50, 50), [([0, 1], 0), ([2], 0)]),
        ((75, 25, 75), [([0, 1], 0), ([1, 2], 1)]),
        ((75, 25, 76), [([0, 1], 0), ([2], 0)]),
        ((74, 26, 74), [([0, 1], 0), ([2], 0)]),
        ((10, 100, 10, 90), [([0], 0), ([1], 0), ([2, 3], 0)]),
    ],
)
def test_a_short_passage_at_a_cut_is_in_both_chunks(
    sizes: tuple[int, ...], planned: list[tuple[list[int], int]]
) -> None:
    """The model reads a continued sentence with its beginning, which takes at most a quarter of the budget."""
    chunks = chunks_of(passages(*sizes), budget_tokens=100)
    assert [([passage.segment_id for passage in chunk.passages], chunk.repeated) for chunk in chunks] == planned


@given(WORDS, st.integers(min_value=4, max_value=60))
def test_pieces_of_a_text_are_within_the_limit(text: str, limit: int) -> None:
    """A single character is the smallest piece, however many tokens it has."""
    pieces = split_text(text, in_bytes, limit)
    assert all(in_bytes(piece) <= limit or len(piece) == 1 for piece in pieces)
    assert pieces


@given(SEGMENTS.filter(bool), BUDGETS)
def test_halves_hold_what_the_chunk_held(segments: list[Segment], budget: int) -> None:
    """Halving after a context error loses nothing, and ends at single characters."""
    chunk = Chunk(tuple(passages_of(segments, in_bytes, limit_tokens=budget)))
    parts = halve(chunk, in_bytes)
    assert frozenset().union(*(part.segment_ids for part in parts)) == chunk.segment_ids
    text = "".join(passage.text for passage in chunk.passages)
    assert "".join(passage.text for part in parts for passage in part.passages) == text
    if len(parts) == 1:
        assert len(text) < 2


def test_halving_a_single_character_returns_it() -> None:
    """It cannot be split further."""
    chunk = Chunk((Passage(3, "x", 6),))
    assert halve(chunk, in_bytes) == [chunk]


@given(POINTS, st.integers(min_value=24, max_value=300), st.integers(min_value=1, max_value=8))
def test_a_trimmed_point_fits_and_cites_only_what_it_cited(points: list[Point], limit: int, ids: int) -> None:
    """Its text is shorter, its citations are fewer, and none is new."""
    for point in points:
        short = trim(point, in_bytes, limit_tokens=limit, ids=ids)
        assert in_bytes(short.line) + 1 <= limit or len(short.text) <= 1
        assert set(short.segment_ids) <= set(point.segment_ids)
        assert point.text.startswith(short.text)


@given(POINTS, st.integers(min_value=80, max_value=600))
def test_groups_hold_all_points_in_order_within_the_budget(points: list[Point], budget: int) -> None:
    """Each group fits; with points of at most 0.4 of the budget only the last group can be a single one."""
    small = [trim(point, in_bytes, limit_tokens=int(budget * 0.4), ids=3) for point in points]
    groups = groups_of(small, in_bytes, budget_tokens=budget)
    assert [point for group in groups for point in group] == small
    assert all(total_tokens(group, in_bytes) <= budget for group in groups)
    assert all(len(group) > 1 for group in groups[:-1])


@given(POINTS, st.integers(min_value=40, max_value=400))
def test_what_is_shrunk_by_rule_fits(points: list[Point], limit: int) -> None:
    """When the model does not shorten, the limit holds nevertheless, and at least one point remains."""
    kept = shrink(points, in_bytes, limit_tokens=limit, ids=3)
    assert kept
    assert total_tokens(kept, in_bytes) <= limit


@given(st.integers(min_value=256, max_value=200_000), st.integers(min_value=16, max_value=8_000))
def test_prompt_and_answer_never_exceed_the_context(context: int, wanted: int) -> None:
    """The margin stays free, and most of the context is for the prompt."""
    completion = completion_tokens(context, wanted)
    assert completion <= wanted
    assert prompt_tokens(context, completion) + completion < context
    assert prompt_tokens(context, completion) > context // 2


def test_merging_ends_within_its_levels() -> None:
    """0.7 of a million tokens, 64 times, is less than one."""
    assert math.log(1e6) / -math.log(SHRINK) < 64
