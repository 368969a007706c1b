"""A file that changes its language, with a model that follows a script.

The script knows the language of a window or span by its seconds.
"""

from collections.abc import Callable, Iterator

import pytest

from models.whisper.assembly import assemble
from schemas.options import Task, TranscribeOptions
from tests.contract.whisper.scripted_model import Script
from tests.contract.whisper.scripted_transcription import Desk
from tests.sound.provenance import PROVENANCE

MULTILINGUAL = TranscribeOptions(multilingual=True)


@pytest.fixture
def desk() -> Iterator[Callable[..., Desk]]:
    """Make desks, and close their engines at the end."""
    desks: list[Desk] = []

    def make(
        languages: dict[float, str],
        options: TranscribeOptions = MULTILINGUAL,
        of_spans: dict[float, str] | None = None,
    ) -> Desk:
        script = Script(lambda _, seconds: f" {seconds:g}", languages=languages, of_spans=of_spans)
        script.tokens = (2425, 456) * 20
        desks.append(Desk(script, options))
        return desks[-1]

    yield make
    for each in desks:
        each.engine.close()


def decoded(each: Desk) -> list[str]:
    """Return the languages in which windows or pieces were decoded, in order of time."""
    units = [leaf for unit in each.transcription.state.units for leaf in unit.leaves()]
    return [leaf.language for leaf in units]


def test_each_window_has_its_own_language(desk: Callable[..., Desk]) -> None:
    """In text, in prompt and in segments."""
    each = desk({8: "ko", 9: "en", 10: "ko"})
    each.windows(8, 9, 10)
    state = each.finish()
    assert decoded(each) == ["ko", "en", "ko"]
    assert sorted(work.language or "" for work in each.model.heard) == ["en", "ko", "ko"]
    transcript = assemble(state, MULTILINGUAL, PROVENANCE, started_at=0, ended_at=1)
    assert [segment.language for segment in transcript.segments] == ["ko", "en", "ko"]
    assert transcript.language == "ko"
    assert transcript.language_probability == pytest.approx(0.9 * 18 / 27, abs=1e-3)
    assert [guess.language for guess in transcript.all_language_probs[:2]] == ["ko", "en"]


def test_a_short_word_stays_in_the_language_of_the_file(desk: Callable[..., Desk]) -> None:
    """Detection alone would have called it English."""
    each = desk({20: "ko", 0.7: "en:0.4"})
    each.windows(20, 0.7, 20)
    each.finish()
    assert decoded(each) == ["ko", "ko", "ko"]


def test_a_window_in_two_languages_is_decoded_in_pieces(desk: Callable[..., Desk]) -> None:
    """Each piece at its place, in the language that was detected for itself."""
    each = desk({5: "ko", 3: "ko", 8: "ko", 4: "de", 6: "zh", 10: "zh"})
    each.windows_of_spans((5, 3), (4, 6))
    state = each.finish()
    assert decoded(each) == ["ko", "de", "zh"]
    places = [(result.window.start_seconds, result.window.end_seconds) for result in state.results()]
    assert places == [(0, 9), (60, 64), (65, 71)]
    assert [result.language for result in state.results()] == ["ko", "de", "zh"]
    texts = [result.decoded.text for result in state.results() if result.decoded is not None]
    assert texts == [" 8", " 4", " 6"]


def test_pieces_in_one_language_are_decoded_together(desk: Callable[..., Desk]) -> None:
    """What was cut in vain costs no words at the cut; other pieces stay apart."""
    each = desk({4: "ko", 2: "ko", 6: "ko", 12: "ko"}, of_spans={2: "ja"})
    each.windows_of_spans((4, 2, 6))
    (result,) = each.finish().results()
    assert result.decoded is not None
    assert (result.language, result.decoded.text) == ("ko", " 12")
    each = desk({4: "ko", 2: "ko", 6: "de", 12: "de"}, of_spans={2: "ja"})
    each.windows_of_spans((4, 2, 6))
    results = each.finish().results()
    assert [(result.language, result.window.duration_seconds) for result in results] == [("ko", 6), ("de", 6)]


def test_text_that_is_short_for_its_speech_is_decoded_in_halves(desk: Callable[..., Desk]) -> None:
    """The model may have stopped before the end. Without the option it is kept as it is."""
    for options, texts in ((MULTILINGUAL, [" 8", " 7"]), (TranscribeOptions(), [" 15"])):
        each = desk({4: "ko", 7: "ko", 15: "ko"}, options)
        each.model.tokens = (2425, 456)
        each.windows_of_spans((4, 4, 7))
        results = each.finish().results()
        assert [result.decoded.text for result in results if result.decoded is not None] == texts
        assert {result.language for result in results} == {"ko"}


def test_candidates_restrict_what_is_found(desk: Callable[..., Desk]) -> None:
    """In files that change their language, and in those that have one."""
    for options in (
        TranscribeOptions(languages=("ko", "la"), multilingual=True),
        TranscribeOptions(languages=("ko", "la")),
    ):
        each = desk({8: "ja"}, options)
        each.windows(8)
        each.finish()
        assert decoded(each) == ["la"], "what was left of the probability is Latin's"


def test_a_translation_is_english_whatever_is_spoken(desk: Callable[..., Desk]) -> None:
    """Its prompt names the language spoken, its segments that of their words."""
    options = TranscribeOptions(multilingual=True, task=Task.TRANSLATE)
    each = desk({8: "ko", 9: "zh"}, options)
    each.windows(8, 9)
    transcript = assemble(each.finish(), options, PROVENANCE, started_at=0, ended_at=1)
    assert decoded(each) == ["ko", "zh"]
    assert [segment.language for segment in transcript.segments] == ["en", "en"]
    assert transcript.language == "zh"


def test_the_language_that_the_caller_named_is_expected(desk: Callable[..., Desk]) -> None:
    """It decides where detection is unsure, and gives way where it is sure."""
    each = desk({3: "ja:0.1", 8: "en"}, TranscribeOptions(multilingual=True, language="la"))
    each.windows(3, 8)
    each.finish()
    assert decoded(each) == ["la", "en"]


def test_a_window_is_heard_once_unless_its_language_was_guessed_wrong(desk: Callable[..., Desk]) -> None:
    """Detected and decoded in one call; again only in a language that the file made more probable."""
    each = desk({20: "ko", 0.7: "en:0.4"})
    each.windows(20, 0.7, 20)
    each.finish()
    assert sorted(work.language or "" for work in each.model.heard) == ["en", "ko", "ko", "ko"]


def test_without_the_option_nothing_changes(desk: Callable[..., Desk]) -> None:
    """The first sure window decides, and the others are not examined."""
    each = desk({8: "ko"}, TranscribeOptions())
    each.windows_of_spans((4, 4), (8,), (3, 3, 3))
    state = each.finish()
    assert decoded(each) == ["ko", "ko", "ko"]
    assert [work.language for work in each.model.heard] == ["ko", "ko", "ko"]
    assert state.language is not None
    assert state.language.code == "ko"
