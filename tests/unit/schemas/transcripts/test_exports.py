"""What other tools read from a transcript: right times, right escapes, lines that people can read."""

import itertools
import json
import re
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.options import ExportFormat, TranscribeOptions
from schemas.results import EXPORT_EXTENSIONS
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.subtitles.characters import cell_width, strip_controls
from schemas.transcripts.subtitles.cues import Cue, cues
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import (
    AudioFacts,
    Segment,
    StageTiming,
    Transcript,
    TranscriptStatus,
    Usage,
    Word,
)
from tests.sound.provenance import PROVENANCE

ENGLISH = (
    " Kascribe reads audio from a bucket, transcribes it on a graphics card, and publishes what it heard, so that "
    "nobody has to listen to four hours of recordings again."
)
KOREAN = (
    " 카스크라이브는 버킷에 올라온 음성을 읽어 그래픽 카드에서 받아쓰고 들은 내용을 토픽으로 알립니다. "
    "그래서 누구도 네 시간짜리 녹음을 다시 들을 필요가 없습니다."
)
CHINESE = (
    "卡斯克莱布从存储桶读取音频,在显卡上转写,然后发布它听到的内容。"
    "这样就没有人需要再听四个小时的录音了,Kafka也不例外。"
)


def segment(text: str, start: float = 0.0, end: float = 10.0, **fields: object) -> Segment:
    """One segment with a text."""
    return Segment.model_validate({"id": 0, "start": start, "end": end, "text": text, **fields})


def transcript(*segments: Segment, options: TranscribeOptions | None = None, seconds: float = 10.2) -> Transcript:
    """Return a transcript of some segments."""
    return Transcript(
        status=TranscriptStatus.COMPLETED if segments else TranscriptStatus.NO_SPEECH,
        language="en" if segments else None,
        text="".join(one.text for one in segments).strip(),
        segments=segments,
        options=options or TranscribeOptions(),
        audio=AudioFacts(
            audio_duration_seconds=seconds,
            speech_duration_seconds=seconds,
            channel_count=1,
            sample_rate_hertz=16_000,
        ),
        provenance=PROVENANCE,
        timing=StageTiming(),
        usage=Usage(audio_seconds=seconds, inference_seconds=0, windows=1, decoded_tokens=1),
    )


def exported(export_format: ExportFormat, made: Transcript) -> str:
    """Render a transcript in one format."""
    return EXPORTERS[export_format].render(made, SubtitleSettings())


def parsed_srt(text: str) -> list[tuple[int, int, str]]:
    """Read SubRip, by its description and not by our writer."""
    found = []
    for number, block in enumerate(text.strip().split("\n\n"), 1):
        index, times, *lines = block.split("\n")
        assert int(index) == number
        start, end = times.split(" --> ")
        found.append((_milliseconds(start, ","), _milliseconds(end, ","), "\n".join(lines)))
    return found


def parsed_vtt(text: str) -> list[tuple[int, int, str]]:
    """Read WebVTT's cues, with its escapes undone."""
    header, *blocks = text.strip().split("\n\n")
    assert header == "WEBVTT"
    found = []
    for block in blocks:
        times, *lines = block.split("\n")
        start, end = times.split(" --> ")
        shown = "\n".join(lines).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        found.append((_milliseconds(start, "."), _milliseconds(end, "."), shown))
    return found


def _milliseconds(text: str, separator: str) -> int:
    match = re.fullmatch(rf"(\d\d+):(\d\d):(\d\d)\{separator}(\d\d\d)", text)
    assert match, text
    hours, minutes, seconds, rest = map(int, match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


def test_every_format_has_an_exporter_with_type_and_extension() -> None:
    """Code that stores or serves an export finds its content type and file name here."""
    assert set(EXPORTERS) == set(ExportFormat) == set(EXPORT_EXTENSIONS)
    assert {exporter.extension for exporter in EXPORTERS.values()} == {
        "json",
        "verbose.json",
        "txt",
        "srt",
        "vtt",
        "tsv",
    }


def test_json_is_what_openai_answers() -> None:
    """The text, and the duration billed in whole seconds."""
    assert json.loads(exported(ExportFormat.JSON, transcript(segment(" 안녕 & bye")))) == {
        "text": "안녕 & bye",
        "usage": {"type": "duration", "seconds": 11},
    }


@pytest.mark.parametrize("form", [ExportFormat.JSON, ExportFormat.VERBOSE_JSON])
def test_text_in_json_is_written_as_people_read_it(form: ExportFormat) -> None:
    """As OpenAI answers; escaped, a Korean transcript is twice as long and cannot be searched."""
    assert '"text": "안녕 é"' in exported(form, transcript(segment(" 안녕 é")))


def test_verbose_json_has_openais_shape() -> None:
    """Segments carry every field that clients of OpenAI read; words stand at the top, when asked for."""
    words = (Word(word=" Hi", start=0.1, end=0.5, probability=0.9),)
    made = transcript(
        segment(" Hi", 0.1, 1.25, words=words, avg_logprob=-0.2), options=TranscribeOptions(word_timestamps=True)
    )
    assert json.loads(exported(ExportFormat.VERBOSE_JSON, made)) == {
        "task": "transcribe",
        "language": "en",
        "duration": 10.2,
        "text": "Hi",
        "segments": [
            {
                "id": 0,
                "seek": 10,
                "start": 0.1,
                "end": 1.25,
                "text": " Hi",
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": -0.2,
                "compression_ratio": None,
                "no_speech_prob": None,
            }
        ],
        "words": [{"word": "Hi", "start": 0.1, "end": 0.5}],
        "usage": {"type": "duration", "seconds": 11},
    }
    assert "words" not in json.loads(exported(ExportFormat.VERBOSE_JSON, transcript(segment(" Hi"))))


def test_times_are_rounded_to_the_nearest_millisecond_and_carried() -> None:
    """59.9996 s is one minute, and hours go on past 99."""
    made = transcript(segment("a", 59.9996, 61.4995), segment("b", 360_000.0004, 360_001.0))
    assert parsed_srt(exported(ExportFormat.SRT, made)) == [
        (60_000, 61_500, "a"),
        (360_000_000, 360_001_000, "b"),
    ]
    assert "00:01:00,000 --> 00:01:01,500" in exported(ExportFormat.SRT, made)
    assert "100:00:00.000" in exported(ExportFormat.VTT, made)


@pytest.mark.parametrize("text", ["a --> b", "<i>&amp; x</i>", "one\n\ntwo", "  spaces\t and tabs "])
def test_no_text_breaks_a_subtitle_file(text: str) -> None:
    """Arrows, markup, blank lines and tabs in the text stay text."""
    made = transcript(segment(text, 0.0, 5.0))
    flat = " ".join(text.split())
    assert [(0, 5_000, flat)] == parsed_vtt(exported(ExportFormat.VTT, made))
    assert [(0, 5_000, flat.replace("-->", "->"))] == parsed_srt(exported(ExportFormat.SRT, made))
    assert exported(ExportFormat.TSV, made) == f"start\tend\ttext\n0\t5000\t{flat}\n"


def test_silence_exports_to_valid_empty_files() -> None:
    """No speech is an empty file of each kind, not a broken one."""
    made = transcript()
    assert exported(ExportFormat.SRT, made) == ""
    assert exported(ExportFormat.VTT, made).strip() == "WEBVTT"
    assert exported(ExportFormat.TSV, made) == "start\tend\ttext\n"
    assert exported(ExportFormat.TEXT, made) == "\n"
    assert json.loads(exported(ExportFormat.VERBOSE_JSON, made))["language"] is None


@pytest.mark.parametrize(("text", "limit"), [(ENGLISH, 42), (KOREAN, 32), (CHINESE, 32)])
def test_lines_are_readable_in_every_script(text: str, limit: int) -> None:
    """No line is wider than its script's limit, words stay whole where there are spaces, and nothing is lost."""
    made = list(cues([segment(text)], SubtitleSettings()))
    lines = [line for cue in made for line in cue.lines]
    assert all(cell_width(line) <= limit for line in lines)
    assert all(len(cue.lines) <= 2 for cue in made)
    assert "".join("".join(lines).split()) == "".join(text.split())
    if " " in text.strip():
        assert " ".join(lines).split() == text.split()
    widths = [cell_width(line) for line in lines]
    assert min(widths) > limit * 0.4, "balanced: no line holds a lonely word"


def test_chinese_lines_do_not_begin_with_a_full_stop() -> None:
    """Closing punctuation stays with what it closes, and foreign words stay whole."""
    lines = [line for cue in cues([segment(CHINESE)], SubtitleSettings()) for line in cue.lines]
    assert not [line for line in lines if line[0] in "。,、"]
    assert any("Kafka" in line for line in lines)


def test_cues_follow_each_other_within_their_segment() -> None:
    """Times never go back, cover the segment, and the screen is empty for two frames between cues."""
    made = list(cues([segment(ENGLISH, 5.0, 15.0)], SubtitleSettings()))
    assert (made[0].start_ms, made[-1].end_ms) == (5_000, 15_000)
    assert all(before.end_ms + 80 == after.start_ms for before, after in itertools.pairwise(made))


def test_word_times_decide_where_cues_begin_and_end() -> None:
    """With words, a cue ends at its last word, or as soon as it can be read, and a pause starts another."""
    words = (
        Word(word=" Hello", start=1.0, end=1.4, probability=1),
        Word(word=" there.", start=1.5, end=2.0, probability=1),
        Word(word=" Bye.", start=6.0, end=6.5, probability=1),
    )
    assert list(cues([segment(" Hello there. Bye.", 0.0, 10.0, words=words)], SubtitleSettings())) == [
        Cue(1_000, 2_000, ("Hello there.",)),
        Cue(6_000, 6_700, ("Bye.",)),
    ]


def test_channels_are_told_apart() -> None:
    """Split channels come in the order of time, each cue with its channel."""
    made = transcript(segment("left", 1.0, 2.0, channel=0), segment("right", 0.0, 1.0, channel=1))
    assert [text for _, _, text in parsed_srt(exported(ExportFormat.SRT, made))] == ["[1] right", "[0] left"]
    assert "<v Channel 1>right" in exported(ExportFormat.VTT, made)


@given(
    st.lists(
        st.tuples(
            st.text(max_size=200),
            st.floats(0, 20_000, allow_nan=False),
            st.floats(0, 40, allow_nan=False),
        ),
        max_size=6,
    )
)
def test_any_text_survives_a_subtitle_file(found: Sequence[tuple[str, float, float]]) -> None:
    """Whatever was heard, the file parses, times are in order, and all visible text is there."""
    segments = [segment(text, start, start + length, id=n) for n, (text, start, length) in enumerate(found)]
    made = transcript(*segments)
    shown = "".join(
        "".join(strip_controls(s.text).split()) for s in sorted(segments, key=lambda s: (s.start, s.id))
    )
    subtitles = exported(ExportFormat.VTT, made)
    read = parsed_vtt(subtitles) if subtitles.strip() != "WEBVTT" else []
    # Segments that overlap, as those of two channels do, are shown in turn.
    assert sorted("".join("".join(text.split()) for _, _, text in read)) == sorted(shown)
    assert all(start < end for start, end, _ in read)
    assert [start for start, _, _ in read] == sorted(start for start, _, _ in read)


def test_four_hours_export_in_seconds() -> None:
    """Dividing text into cues and lines costs in step with the text, not with its square."""
    segments = [segment(ENGLISH, 10.0 * n, 10.0 * n + 9, id=n) for n in range(1_440)]
    started = time.process_time()
    assert len(exported(ExportFormat.SRT, transcript(*segments))) > 200_000
    assert time.process_time() - started < 10
