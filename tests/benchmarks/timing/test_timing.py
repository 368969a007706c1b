"""Slices of the benchmarks of word times and subtitles, on the recordings of the repository and a real model."""

from pathlib import Path

import numpy as np
import pytest

from models.whisper.transcriber import Transcriber
from schemas.options import TranscribeOptions
from tests.benchmarks.speech.corpus import Recording, bundled_recordings
from tests.benchmarks.timing.subtitles import (
    render,
    shown_by_language,
    without_words,
)
from tests.benchmarks.timing.timed import FasterWhisper, Spoken, transcripts
from tests.benchmarks.timing.word_times import Found, compare, faults, has_pause, loudness_of, matching, percentile
from tests.sound.recordings import FORMATS, read, write


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """All English recordings of the repository after each other, with pauses."""
    pause = np.zeros(16_000, np.float32)
    sounds = [read(each.path) for each in bundled_recordings() if each.language == "en"]
    path = tmp_path_factory.mktemp("long") / "long.flac"
    write(path, np.concatenate([part for sound in sounds for part in (sound, pause)]), FORMATS["flac"])
    return Recording(path.name, path, "en", None)


@pytest.mark.timeout(600)
def test_words_are_in_order_and_near_those_of_faster_whisper(
    real_whisper: Path, long_recording: Recording, tmp_path: Path
) -> None:
    """On a real model; a second run takes what the first one kept."""
    theirs = FasterWhisper(real_whisper, keep=tmp_path)
    ((recording, transcript),) = transcripts([long_recording], real_whisper, keep=tmp_path)
    found = compare(recording, transcript, theirs.words(recording))
    assert found.keeps_invariants, found.faults
    assert len(found.starts) > 5
    assert percentile(found.starts, 50) < 0.1
    assert percentile(found.ends, 50) < 0.1
    ((_, again),) = transcripts([long_recording], real_whisper, keep=tmp_path)
    assert again == transcript
    assert FasterWhisper(real_whisper, keep=tmp_path).words(recording) == theirs.words(recording)


@pytest.mark.timeout(600)
def test_subtitles_of_a_real_model_keep_the_limits(
    real_transcriber: Transcriber, long_recording: Recording
) -> None:
    """With word times and without; no text is lost."""
    made = real_transcriber.transcribe(long_recording.path, TranscribeOptions(word_timestamps=True))
    for transcript in (made, without_words(made)):
        found = shown_by_language([("en", made, render(transcript))])["all"]
        assert found.cues
        assert found.keeps_limits, found.kept


def test_faults_of_word_times_are_found() -> None:
    """Words that overlap, end before they begin, or lie outside the recording."""
    assert not faults("a", [Spoken("a", 0.0, 1.0), Spoken("b", 1.0, 2.0)], 2.0)
    assert len(faults("a", [Spoken("a", 0.0, 1.0), Spoken("b", 0.9, 2.0)], 2.0)) == 1
    assert len(faults("a", [Spoken("a", 0.0, 2.5)], 2.0)) == 1
    assert Found(words=1_000, zero_length=1).keeps_invariants
    assert not Found(words=999, zero_length=1).keeps_invariants


def test_words_match_by_their_letters() -> None:
    """Case and punctuation differ, and words may be missing on either side."""
    ours = [Spoken(" One,", 0, 1), Spoken(" two", 1, 2), Spoken(" ...", 2, 3), Spoken(" four", 3, 4)]
    theirs = [Spoken(" one", 0, 1), Spoken(" three", 2, 3), Spoken(" FOUR.", 3, 4)]
    assert [(a.text, b.text) for a, b in matching(ours, theirs)] == [(" One,", " one"), (" four", " FOUR.")]


def test_a_pause_is_measured_against_the_recording(tmp_path: Path) -> None:
    """A second of sound between two of silence; a tenth of a second is no pause."""
    sound = np.zeros(48_000, np.float32)
    sound[16_000:32_000] = np.sin(np.arange(16_000) / 5)
    sound[24_000:25_600] = 0
    loudness = loudness_of(write(tmp_path / "a.flac", sound, FORMATS["flac"]))
    assert has_pause(loudness, 0.2, 0.8)
    assert has_pause(loudness, 0.8, 1.2)
    assert not has_pause(loudness, 1.1, 1.8)
