"""The error rates themselves, and a slice of the benchmark on real recordings."""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.benchmarks.speech.accuracy import hear, is_within_goal, main, totals
from tests.benchmarks.speech.corpus import Recording, recordings_in, with_text
from tests.benchmarks.speech.error_rates import Errors, count_errors, units_of
from tests.benchmarks.speech.kept_texts import KeptTexts

CLEAR: Final = ("en/jfk.flac", "en/leopard_test.wav", "en/61-70968-0000.flac")


@pytest.mark.parametrize(
    ("language", "reference", "text", "errors"),
    [
        ("en", "One, two — three.", "one two three", Errors(0, 3)),
        ("en", "I'm here", "im here now", Errors(1, 2)),
        ("en", "a b c d", "a x c", Errors(2, 4)),
        ("en", "one two", "", Errors(2, 2)),
        ("en", "ten, three", "10 3", Errors(0, 2)),
        ("ko", "안녕 하세요.", "안녕하새요", Errors(1, 5)),
        ("ko", "안녕", "안녕", Errors(0, 2)),
        ("ja", "客観的、実在", "客観実在", Errors(1, 5)),
    ],
)
def test_errors_are_counted_in_words_or_characters(
    language: str, reference: str, text: str, errors: Errors
) -> None:
    """Case, punctuation, spaces between Korean words and the Unicode form do not count."""
    assert count_errors(reference, text, language) == errors


def test_the_rate_is_of_the_reference() -> None:
    """More errors than words are more than a hundred per cent; nothing expected is no rate."""
    assert count_errors("one", "two three four", "en").percent == 300
    assert (Errors(1, 4) + Errors(1, 6)).percent == 20
    assert Errors().percent == 0
    assert units_of("13—b", "en") == ["13", "b"]


def test_recordings_are_chosen_by_language_and_name() -> None:
    """Recordings without a known text are never chosen."""
    known = Recording("en/a.wav", Path("a"), "en", "hello")
    all_of_them = [
        known,
        Recording("ko/b.wav", Path("b"), "ko", "안녕"),
        Recording("en/c.wav", Path("c"), "en", None),
    ]
    assert list(with_text(all_of_them, languages=["en"])) == [known]
    assert list(with_text(all_of_them, names=["b.w"])) == all_of_them[1:2]


@pytest.mark.timeout(600)
def test_kascribe_is_as_accurate_as_the_sequential_mode(
    real_whisper: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On clear recordings of people; the next run takes the kept texts of faster-whisper.

    Of unclear ones this small model makes texts that differ by the processor, and so would the comparison.
    """
    directory = os.environ.get("KASCRIBE_TEST_SPEECH")
    if not directory:
        pytest.skip("KASCRIBE_TEST_SPEECH names no recordings")
    recordings = tuple(with_text(recordings_in(Path(directory)), names=CLEAR))
    assert len(recordings) == len(CLEAR)
    file = tmp_path / "texts.json"
    heard = hear(recordings, real_whisper, kept=KeptTexts(file, real_whisper))
    assert is_within_goal(heard), [(each.recording.name, each.texts) for each in heard]
    assert totals(heard)["kascribe"].units > 20
    kept = KeptTexts(file, real_whisper)
    assert kept.missing("sequential", [each.name for each in recordings]) == []
    assert (
        main(["--model", str(real_whisper), "--speech", str(_speech(tmp_path, recordings)), "--limit", "0"]) == 1
    )
    assert "no recording" in capsys.readouterr().out


def _speech(directory: Path, recordings: tuple[Recording, ...]) -> Path:
    import json

    lines = [json.dumps({"file": str(r.path), "language": r.language, "text": r.text}) for r in recordings]
    (directory / "manifest.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return directory
