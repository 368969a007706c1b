"""Nothing that was said is without length, in any form, and what is shown can be read."""

import itertools
import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas.options import ExportFormat, TranscribeOptions
from schemas.transcripts.subtitles.cues import cues
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Segment, Word
from tests.unit.schemas.transcripts.test_exports import exported, parsed_srt, segment, transcript


def test_words_without_length_are_shown_long_enough_to_be_seen() -> None:
    """Alone for 0.7 s; with what follows at once, in one cue."""
    for next_start, times in ((9.0, [(1_000, 1_700), (9_000, 12_000)]), (1.5, [(1_000, 4_500)])):
        segments = [segment("stop", 1.0, 1.0), segment("record", next_start, next_start + 3.0, id=1)]
        assert [(cue.start_ms, cue.end_ms) for cue in cues(segments, SubtitleSettings())] == times


def _spoken(pauses_and_lengths: Sequence[tuple[int, int, str]], channel: int | None) -> list[Segment]:
    # Segments of one word each that follow each other, given in milliseconds; lengths and pauses may be none.
    made, at = [], 0
    for number, (pause, length, text) in enumerate(pauses_and_lengths):
        start, at = (at + pause) / 1000, at + pause + length
        words = (Word(word=text, start=start, end=at / 1000, probability=1),)
        made.append(segment(text, start, at / 1000, id=number, words=words, channel=channel))
    return made


TURNS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 300, 2_000]), st.sampled_from([0, 0, 0, 1, 400, 900]), st.sampled_from("ab")
    ),
    max_size=12,
)


@given(TURNS, TURNS)
def test_nothing_that_was_said_is_without_length_in_any_form(
    left: Sequence[tuple[int, int, str]], right: Sequence[tuple[int, int, str]]
) -> None:
    """Transcripts that were stored with such segments and words export as new ones do, without a new overlap."""
    for channels in ([_spoken(left, None)], [_spoken(left, 0), _spoken(right, 1)]):
        segments = sorted((one for channel in channels for one in channel), key=lambda one: one.start)
        made = transcript(*segments, options=TranscribeOptions(word_timestamps=True))
        verbose = json.loads(exported(ExportFormat.VERBOSE_JSON, made))
        rows = [line.split("\t") for line in exported(ExportFormat.TSV, made).splitlines()[1:]]
        subtitles = exported(ExportFormat.SRT, made)
        cued = [(start, end) for start, end, _ in parsed_srt(subtitles)] if subtitles else []
        forms = [
            cued,
            [(int(start), int(end)) for start, end, _ in rows],
            [(one["start"], one["end"]) for one in verbose["segments"]],
            [(one["start"], one["end"]) for one in verbose["words"]],
        ]
        for times in forms:
            assert len(times) == len(segments) or times is cued
            assert all(start < end for start, end in times)
            assert len(channels) > 1 or all(a[1] <= b[0] for a, b in itertools.pairwise(times))
        assert all(end - start >= 700 for start, end in cued)


def test_no_subtitle_holds_what_nobody_can_read() -> None:
    """WebVTT forbids NUL, and players stop at it; other controls are of no use on a screen."""
    made = transcript(segment(" one\0two \x1b[31mthree\x7f\x08", 0.0, 2.0))
    for form in (ExportFormat.SRT, ExportFormat.VTT, ExportFormat.TSV):
        text = exported(form, made)
        assert "onetwo [31mthree\n" in text
        assert not set(text) & {"\0", "\x1b", "\x7f", "\x08"}
