"""Parts of long texts: bounded, complete, in order."""

import pytest

from kascribe.agents.parts import MARK_CHARACTERS, Form, Part, cut, part_of, rendered
from schemas.transcripts.transcript import Segment, Transcript
from tests.support.kept import spoken_transcript


def transcript_of(*texts: str, channels: int = 1) -> Transcript:
    """Build a transcript with a segment of ten seconds for each text; of several channels, they overlap."""
    segments = tuple(
        Segment(
            id=number,
            start=10.0 * (number // channels),
            end=10.0 * (number // channels) + 10.0,
            text=text,
            channel=number % channels if channels > 1 else None,
        )
        for number, text in enumerate(texts)
    )
    return spoken_transcript(" ".join(texts)).model_copy(update={"segments": segments})


def test_parts_join_to_the_whole_without_a_gap_or_a_repetition() -> None:
    """Also where channels overlap in time, since the next part begins with a segment and not with a time."""
    transcript = transcript_of(*(f"word {number}" for number in range(25)), channels=2)
    ids: list[int] = []
    first: int | None = 0
    while first is not None:
        part = part_of(
            transcript,
            first_segment=first,
            start_seconds=0,
            end_seconds=None,
            limit_characters=4 * MARK_CHARACTERS,
        )
        assert 1 <= len(part.segments) <= 4
        ids += [segment.id for segment in part.segments]
        first = part.next_segment
    assert ids == list(range(25))


def test_a_segment_longer_than_the_limit_comes_alone() -> None:
    """Reading always goes on."""
    transcript = transcript_of("x" * 5_000, "y")
    part = part_of(transcript, first_segment=0, start_seconds=0, end_seconds=None, limit_characters=1_000)
    assert ([segment.id for segment in part.segments], part.next_segment) == ([0], 1)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, None, [0, 1, 2]), (10, 20, [1]), (9.9, 20.1, [0, 1, 2]), (30, None, []), (5, 5, [0])],
)
def test_a_range_of_seconds_takes_the_segments_that_touch_it(
    start: float, end: float | None, expected: list[int]
) -> None:
    """A segment that ends where the range begins is not part of it."""
    part = part_of(
        transcript_of("a", "b", "c"), first_segment=0, start_seconds=start, end_seconds=end, limit_characters=1_000
    )
    assert [segment.id for segment in part.segments] == expected


def test_times_are_written_as_a_person_reads_them() -> None:
    """Hours only where there are any; the channel where there are several."""
    segment = Segment(id=0, start=3_725.04, end=3_730.0, text=" late ", channel=1)
    transcript = transcript_of("early")
    assert rendered(transcript, Part([*transcript.segments, segment], None), Form.TIMED).splitlines() == [
        "[0:00.0] early",
        "[1:02:05.0 channel 1] late",
    ]


def test_a_text_is_cut_where_it_says() -> None:
    """And nowhere when it fits."""
    assert cut("abcdef", 0, 4) == ("abcd", 4)
    assert cut("abcdef", 4, 4) == ("ef", None)
    assert cut("abcd", 0, 4) == ("abcd", None)
