"""Which language it is, and when enough was heard to say so."""

from models.whisper.language import WINDOWS_LIMIT, decide

SURE = (("ko", 0.9), ("ja", 0.05), ("en", 0.03), ("zh", 0.01), ("de", 0.005), ("fr", 0.001))
UNSURE = (("ja", 0.4), ("ko", 0.35), ("en", 0.25))
OTHERWISE = (("ko", 0.45), ("en", 0.3), ("ja", 0.25))


def test_one_sure_window_decides() -> None:
    """And the five most probable languages are kept."""
    spoken = decide([SURE], more_to_come=True)
    assert spoken is not None
    assert (spoken.language, spoken.probability) == ("ko", 0.9)
    assert [guess.language for guess in spoken.guesses] == ["ko", "ja", "en", "zh", "de"]


def test_an_unsure_window_waits_for_the_next() -> None:
    """A jingle before the speech does not decide for the hour after it."""
    assert decide([UNSURE], more_to_come=True) is None
    spoken = decide([UNSURE, SURE], more_to_come=True)
    assert spoken is not None
    assert spoken.language == "ko"


def test_what_is_unsure_to_the_end_is_decided_by_the_mean() -> None:
    """When the recording ends or enough windows were heard."""
    spoken = decide([UNSURE, OTHERWISE], more_to_come=False)
    assert spoken is not None
    assert (spoken.language, spoken.probability) == ("ko", 0.4)
    assert decide([UNSURE] * (WINDOWS_LIMIT - 1), more_to_come=True) is None
    assert decide([UNSURE] * WINDOWS_LIMIT, more_to_come=True) is not None


def test_nothing_heard_decides_nothing() -> None:
    """Silence has no language."""
    assert decide([], more_to_come=False) is None
