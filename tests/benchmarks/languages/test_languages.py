"""The figures of the benchmark, and a slice of it on real speech."""

import os
from pathlib import Path

import numpy as np
import pytest

from models.media.speech.windows import SAMPLE_RATE_HERTZ
from tests.benchmarks.languages.comparison import OURS, Score, misses, score
from tests.benchmarks.languages.listeners import LISTENERS, Heard, KeptResults, listen
from tests.benchmarks.languages.mixes import KINDS, Clip, Mix, clips_of, mixes_of, single
from tests.benchmarks.speech.corpus import recordings_in
from tests.benchmarks.speech.error_rates import Errors


def clip(name: str, language: str, seconds: float, text: str | None = "one") -> Clip:
    """Return a clip of noise."""
    rng = np.random.default_rng(len(name))
    return Clip(name, language, text, rng.normal(0, 0.1, int(seconds * SAMPLE_RATE_HERTZ)).astype(np.float32))


CLIPS = [clip(f"{language}{number}", language, 5) for language in ("de", "en", "ko", "zh") for number in range(3)]
CLIPS.append(clip("word", "en", 1))


def test_equal_seeds_give_equal_mixes() -> None:
    """And a larger number the same first ones, so that results can be kept."""
    few, more = list(mixes_of(CLIPS, count=5, seed=1)), list(mixes_of(CLIPS, count=10, seed=1))
    assert [mix.name for mix in few] == [mix.name for mix in more[:5]]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(few, more, strict=False))
    assert [mix.kind for mix in few] == list(KINDS)
    changes, inside, first, turns, one = few
    assert len(changes.languages) == 4
    assert [part.clip.name == "word" for part in inside.parts] == [False, True, False]
    assert first.parts[0].clip.name == "word"
    assert len(turns.languages) == 2
    assert len(one.languages) == 1


def test_results_are_kept_for_the_next_run(tmp_path: Path) -> None:
    """By listener and file, with languages."""
    kept = KeptResults(tmp_path / "kept.jsonl")
    kept.add(OURS, "a", [Heard(0, 1, "안녕", "ko")])
    again = KeptResults(tmp_path / "kept.jsonl")
    assert again.has(OURS, "a")
    assert not again.has(OURS, "b")
    assert again.of(OURS, "a") == [Heard(0, 1, "안녕", "ko")]


def test_the_goal_compares_errors_and_languages() -> None:
    """With faster-whisper over all files, and with the option off over files of one language."""
    mixes = [single(clip("a", "ko", 1)), Mix("b", "changes", (), np.zeros(1, np.float32))]
    good, bad = Score(Errors(1, 10), 10, 9), Score(Errors(2, 10), 10, 8)
    better = {name: good if "kascribe" in name else bad for name in LISTENERS}
    assert misses(mixes, {"a": better, "b": better}) == []
    worse = {name: bad if "kascribe" in name else good for name in LISTENERS}
    assert len(misses(mixes, {"a": worse, "b": worse})) == 2
    dearer = {name: bad if name == OURS else good for name in LISTENERS}
    assert any("files of one language" in each for each in misses(mixes, {"a": dearer, "b": better}))


@pytest.mark.timeout(600)
def test_real_speech_in_four_languages_is_all_found(real_whisper: Path) -> None:
    """The first file of the benchmark."""
    directory = os.environ.get("KASCRIBE_TEST_SPEECH")
    if not directory:
        pytest.skip("KASCRIBE_TEST_SPEECH names no recordings")
    (mix,) = mixes_of(clips_of(recordings_in(Path(directory))), count=1, seed=7)
    kept = KeptResults(None)
    listen(OURS, [mix], real_whisper, kept)
    assert score(mix, kept.of(OURS, mix.name), ["x"]).right_percent > 95
