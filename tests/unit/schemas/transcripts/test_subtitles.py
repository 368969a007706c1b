"""Subtitles keep the limits of published guidelines, and break where readers would."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.options import ExportFormat
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.subtitles.cues import Cue, cues
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Segment, Word
from tests.support.subtitle_limits import Limits, kept, read_srt
from tests.unit.schemas.transcripts.test_exports import segment, transcript

SCRIPTS = {
    "en": ["the ", "and ", "Marie ", "waits, ", "because ", "nobody ", "answered. ", "1,000 ", "extraordinarily "],
    "ko": ["고객님 ", "개인정보를 ", "할 ", "수 ", "있습니다. ", "그리고, ", "OK ", "네 "],
    "zh": ["我们", "的", "理财", "计划", "，", "。", "（", "）", "Kafka", "50%", "很", "好"],
    "ja": ["これは", "テスト", "です", "。", "「", "」", "漢字", "ッ", "ー", "を", "Google"],
    "th": ["สวัสดี", "ครับ", " "],
    "xx": ["x" * 60, "ǔ̈́" * 9, "!!!!!", "( ", "- ", "語" * 40, "ab語", "\u200d", "\0"],
}

WORDS = st.sampled_from(sorted(SCRIPTS)).flatmap(
    lambda language: st.tuples(
        st.just(language),
        st.booleans(),
        st.lists(
            st.tuples(
                st.sampled_from(SCRIPTS[language]),
                st.sampled_from([0, 0, 0, 100, 600, 2_000]),
                st.sampled_from([0, 1, 40, 200, 400, 9_000]),
            ),
            max_size=40,
        ),
    )
)


def _segments(spoken: Sequence[tuple[str, bool, Sequence[tuple[str, int, int]]]]) -> list[Segment]:
    # One segment per language run; each word has a pause before it and a length, in milliseconds.
    made, at = [], 0
    for number, (language, with_words, timed) in enumerate(spoken):
        words, begin = [], at
        for text, pause, length in timed:
            start, at = at + pause, at + pause + length
            words.append(Word(word=text, start=start / 1000, end=at / 1000, probability=1))
        made.append(
            segment(
                "".join(word.word for word in words),
                begin / 1000,
                at / 1000,
                id=number,
                language=language,
                words=tuple(words) if with_words else None,
            )
        )
    return made


SETTINGS = st.builds(
    SubtitleSettings,
    lines=st.integers(1, 3),
    line_characters=st.integers(10, 60),
    wide_line_characters=st.integers(5, 30),
    characters_per_second=st.floats(5, 40),
    wide_characters_per_second=st.floats(3, 20),
    shortest_seconds=st.sampled_from([0.3, 0.7, 1.5]),
    longest_seconds=st.sampled_from([3.0, 7.0]),
    gap_seconds=st.sampled_from([0.0, 0.08, 0.2]),
)


@given(st.lists(WORDS, max_size=4), SETTINGS | st.just(SubtitleSettings()))
def test_every_limit_but_reading_speed_is_kept_for_any_speech(
    spoken: Sequence[tuple[str, bool, Sequence[tuple[str, int, int]]]], settings: SubtitleSettings
) -> None:
    """With and without word times, at any speed, in any script, with any settings; and no text is lost."""
    segments = _segments(spoken)
    shown = read_srt(EXPORTERS[ExportFormat.SRT].render(transcript(*segments), settings))
    limits = Limits(
        lines=settings.lines,
        characters=(settings.line_characters, settings.wide_line_characters),
        shortest_ms=round(settings.shortest_seconds * 1000),
        longest_ms=round(settings.longest_seconds * 1000),
        gap_ms=round(settings.gap_seconds * 1000),
    )
    found = kept(shown, limits)
    assert all(all(values) for name, values in found.items() if name != "speed"), found
    text = "".join("".join(one.text.split()) for one in segments).replace("\0", "")
    assert "".join("".join("".join(cue.lines).split()) for cue in shown) == text


def _spoken(text: str, *, seconds: float, start: float = 0.0, language: str = "en") -> Segment:
    """Return a segment whose words share its time evenly."""
    words = text.split(" ")
    each = seconds / len(words)
    return segment(
        text,
        start,
        start + seconds,
        language=language,
        words=tuple(
            Word(word=f" {word}", start=start + n * each, end=start + (n + 1) * each, probability=1)
            for n, word in enumerate(words)
        ),
    )


def _shown(*segments: Segment, **changed: object) -> list[Cue]:
    return list(cues(segments, SubtitleSettings.model_validate(changed)))


@pytest.mark.parametrize(
    ("text", "language", "lines"),
    [
        ("We waited at the station, because the train from Paris was late", "en", (
            "We waited at the station,", "because the train from Paris was late")),
        ("The woman at the counter told us that nothing could be done", "en", (
            "The woman at the counter told us", "that nothing could be done")),
        ("Wir warteten lange am Bahnhof weil der Zug aus Paris nicht kam", "de", (
            "Wir warteten lange am Bahnhof", "weil der Zug aus Paris nicht kam")),
        ("개인정보를 확인할 수 있도록 성함을 말씀해 주세요", "ko", (
            "개인정보를 확인할 수 있도록", "성함을 말씀해 주세요")),
        ("这里是我们的客户服务中心，请问您需要什么帮助", "zh", (
            "这里是我们的客户服务中心，", "请问您需要什么帮助")),
        ("そのテストの結果について「こちら」で説明します", "ja", (
            "そのテストの結果について", "「こちら」で説明します")),
    ],
)  # fmt: skip
def test_lines_break_at_clauses(text: str, language: str, lines: tuple[str, ...]) -> None:
    """After punctuation and endings of clauses, before conjunctions, and never before a closing mark."""
    assert [cue.lines for cue in _shown(segment(text, 0.0, 6.0, language=language))] == [lines]


def test_a_cue_is_shown_on_into_the_silence_until_it_can_be_read() -> None:
    """What was said in one second is read in three."""
    text = "This was said so fast that hardly a listener can follow it all"
    (only,) = _shown(_spoken(text, seconds=1.0))
    assert (only.start_ms, only.end_ms) == (0, 3_050)


def test_text_is_divided_elsewhere_rather_than_shown_for_too_short_a_time() -> None:
    """A burst at the end of a sentence takes slow words before it into its cue."""
    slow = _spoken("and then we all went home again,", seconds=4.0)
    fast = _spoken("which everybody who was there remembers", seconds=0.9, start=4.0)
    after = _spoken("Nobody else did.", seconds=2.0, start=5.0)
    shown = _shown(slow, fast, after)
    assert all(1000 * sum(map(len, cue.lines)) <= 20 * (cue.end_ms - cue.start_ms) for cue in shown)


def test_only_reading_speed_gives_way_to_a_speaker_who_is_faster() -> None:
    """Without silence and at 40 characters a second, all else holds: nothing is lost and nothing overlaps."""
    text = " ".join(["incomprehensible"] * 60)
    shown = _shown(_spoken(text, seconds=len(text) / 40))
    assert " ".join(line for cue in shown for line in cue.lines) == text
    assert all(before.end_ms + 80 <= after.start_ms for before, after in itertools.pairwise(shown))
    assert all(cue.end_ms - cue.start_ms >= 700 for cue in shown)


def test_sentences_of_adjacent_segments_share_a_cue_if_one_is_too_short() -> None:
    """ "Yes." said in a quarter of a second could not be seen alone."""
    shown = _shown(_spoken("Yes.", seconds=0.25), _spoken("We can begin.", seconds=1.2, start=0.3))
    assert [cue.lines for cue in shown] == [("Yes. We can begin.",)]


def test_no_word_is_left_alone() -> None:
    """The last word of a long sentence is not a cue or a line of its own."""
    for count in range(8, 40):
        shown = _shown(_spoken(" ".join(["seven77"] * count), seconds=count * 0.5))
        assert all(len(line.split()) > 1 for cue in shown for line in cue.lines)


def test_a_short_gap_is_closed_to_two_frames() -> None:
    """An empty screen for a quarter of a second flickers."""
    first, second = _shown(
        _spoken("The first sentence ends here.", seconds=2.0),
        _spoken("The second begins soon after it, and is long enough for a cue.", seconds=4.0, start=2.25),
    )
    assert (first.end_ms, second.start_ms) == (2_170, 2_250)


def test_each_limit_is_a_setting() -> None:
    """Deployments with other house rules set them."""
    text = "One two three four five six seven eight nine ten eleven twelve"
    spoken = _spoken(text, seconds=6.0)
    assert [len(cue.lines) for cue in _shown(spoken, lines=1)] == [1, 1]
    assert all(len(line) <= 20 for cue in _shown(spoken, line_characters=20) for line in cue.lines)
    assert max(cue.end_ms - cue.start_ms for cue in _shown(spoken, longest_seconds=3)) <= 3_000
    short = _spoken("Stop", seconds=0.1)
    assert [cue.end_ms for cue in _shown(short, shortest_seconds=1.5)] == [1_500]
    assert [cue.end_ms for cue in _shown(short, characters_per_second=2)] == [2_000]
    pair = _shown(spoken, _spoken(text, seconds=6.0, start=6.0), gap_seconds=0.2)
    assert {after.start_ms - before.end_ms for before, after in itertools.pairwise(pair)} == {200}
    korean = segment("네 알겠습니다 고객님", 0.0, 3.0, language="ko")
    assert [cue.lines for cue in _shown(korean, wide_line_characters=7)] == [("네 알겠습니다", "고객님")]
    assert [cue.end_ms for cue in _shown(korean, wide_characters_per_second=2.5)] == [4_000]
