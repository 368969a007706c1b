"""Which language it is, and when enough was heard to say so."""

from models.whisper.languages.one import WINDOWS_LIMIT, decide_language

SURE = (("ko", 0.9), ("ja", 0.05), ("en", 0.03), ("zh", 0.01), ("de", 0.005), ("fr", 0.001))
UNSURE = (("ja", 0.4), ("ko", 0.35), ("en", 0.25))
OTHERWISE = (("ko", 0.45), ("en", 0.3), ("ja", 0.25))


def test_one_sure_window_decides() -> None:
    """And the five most probable languages are kept."""
    spoken = decide_language([SURE], more_to_come=True)
    assert spoken is not None
    assert (spoken.code, spoken.probability) == ("ko", 0.9)
    assert [guess.language for guess in spoken.guesses] == ["ko", "ja", "en", "zh", "de"]


def test_an_unsure_window_waits_for_the_next() -> None:
    """A jingle before the speech does not decide for the hour after it."""
    assert decide_language([UNSURE], more_to_come=True) is None
    spoken = decide_language([UNSURE, SURE], more_to_come=True)
    assert spoken is not None
    assert spoken.code == "ko"


def test_what_is_unsure_to_the_end_is_decided_by_the_mean() -> None:
    """When the recording ends or enough windows were heard."""
    spoken = decide_language([UNSURE, OTHERWISE], more_to_come=False)
    assert spoken is not None
    assert (spoken.code, spoken.probability) == ("ko", 0.4)
    assert decide_language([UNSURE] * (WINDOWS_LIMIT - 1), more_to_come=True) is None
    assert decide_language([UNSURE] * WINDOWS_LIMIT, more_to_come=True) is not None


def test_nothing_heard_decides_nothing() -> None:
    """Silence has no language."""
    assert decide_language([], more_to_come=False) is None


def test_half_sure_is_sure_and_the_last_window_alone_says_it() -> None:
    """A sure first window decides at once; one that is heard after unsure ones outweighs them."""
    half = (("de", 0.5), ("nl", 0.5))
    spoken = decide_language([UNSURE, half], more_to_come=True)
    assert spoken is not None
    assert (spoken.code, spoken.probability) == ("de", 0.5)
    assert decide_language([(("de", 0.49),)], more_to_come=True) is None


def test_a_mean_counts_languages_that_only_some_windows_offer() -> None:
    """As nothing where they do not; guesses come the most probable first, and none exceeds 1."""
    spoken = decide_language([(("ja", 0.4), ("ko", 0.3)), (("ko", 0.4), ("en", 0.2))], more_to_come=False)
    assert spoken is not None
    assert [(guess.language, guess.probability) for guess in spoken.guesses] == [
        ("ko", 0.35),
        ("ja", 0.2),
        ("en", 0.1),
    ]
    certain = decide_language([(("ko", 1.0000001),)], more_to_come=True)
    assert certain is not None
    assert certain.probability == 1.0
