"""Every word of a real recording has a place in time, in the transcript and in whatever is exported from it."""

import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kascribe.cli import app
from models.whisper.transcriber import Transcriber
from schemas.options import ExportFormat, TranscribeOptions
from schemas.settings import WhisperSettings
from schemas.transcripts.exports import EXPORTERS
from schemas.transcripts.subtitles.settings import SubtitleSettings
from schemas.transcripts.transcript import Transcript
from tests.sound.recordings import FORMATS, read, write
from tests.support.listening import model_directory, speech

Times = list[tuple[float, float]]


@pytest.fixture(scope="module")
def transcriber() -> Iterator[Transcriber]:
    """Yield the engine with the model of the repository, which fails where the language changes."""
    opened = Transcriber(WhisperSettings(device="cpu", decoder_processes=1), model_directory(), "selftest")
    yield opened
    opened.close()


def confusing(directory: Path) -> Path:
    """English words, then Korean ones: the model takes all for English, and cannot tell when it heard what."""
    names = ["en-commands.ogg"] * 6 + ["ko-digits.ogg"] * 2
    sound = np.concatenate([read(speech(name)) for name in names])
    return write(directory / "confusing.opus", sound, FORMATS["ogg/opus"])


def assert_lasting(times: Times) -> None:
    """One after the other, each for some time."""
    assert times
    assert all(start < end for start, end in times)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))


def subtitle_times(text: str) -> Times:
    """Return the times of a SubRip or WebVTT file, in seconds."""
    numbers = [
        int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
        for hours, minutes, seconds in re.findall(r"(\d\d):(\d\d):(\d\d[.,]\d{3})", text)
    ]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def assert_everything_lasts(made: Transcript) -> None:
    """In the transcript and all forms that have times."""
    assert_lasting([(one.start, one.end) for one in made.segments])
    assert_lasting([(word.start, word.end) for one in made.segments for word in one.words or ()])
    form = {name: EXPORTERS[name].render(made, SubtitleSettings()) for name in ExportFormat}
    verbose = json.loads(form[ExportFormat.VERBOSE_JSON])
    for part in ("segments", "words"):
        assert_lasting([(one["start"], one["end"]) for one in verbose[part]])
    rows = [line.split("\t") for line in form[ExportFormat.TSV].splitlines()[1:]]
    assert_lasting([(int(start), int(end)) for start, end, _ in rows])
    for name in (ExportFormat.SRT, ExportFormat.VTT):
        cues = subtitle_times(form[name])
        assert_lasting(cues)
        following = [*(start for start, _ in cues[1:]), float("inf")]
        assert all(
            end - start > 0.699 or end == after for (start, end), after in zip(cues, following, strict=True)
        )


def test_words_that_the_model_cannot_place_have_times_all_the_same(
    transcriber: Transcriber, tmp_path: Path
) -> None:
    """Nothing that was heard disappears from subtitles because it seems to take no time."""
    assert_everything_lasts(
        transcriber.transcribe(confusing(tmp_path), TranscribeOptions(word_timestamps=True, language="en"))
    )


def test_subtitles_on_the_command_line_follow_the_words(transcriber: Transcriber, tmp_path: Path) -> None:
    """Without ``--words``: a cue begins with its first word, not with a share of its segment's time."""
    file = confusing(tmp_path)
    arguments = ["transcribe", str(file), "--language", "en", "--as", "srt", "--model", str(model_directory())]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    made = transcriber.transcribe(file, TranscribeOptions(word_timestamps=True, language="en"))
    assert result.stdout.strip() == EXPORTERS[ExportFormat.SRT].render(made, SubtitleSettings()).strip()
    starts = {word.start for segment in made.segments for word in segment.words or ()}
    assert {start for start, _ in subtitle_times(result.stdout)} <= starts


def test_a_recording_from_outside_has_no_segment_without_length(transcriber: Transcriber) -> None:
    """The file in which such segments were found, where the folder of such files is at hand."""
    folder = os.environ.get("KASCRIBE_TEST_CASES")
    if not folder:
        pytest.skip("KASCRIBE_TEST_CASES names no folder of recordings")
    path = Path(folder) / "media" / "F6_zero_length_segment.opus"
    assert_everything_lasts(transcriber.transcribe(path, TranscribeOptions(word_timestamps=True)))
