"""Detection of a recording's language from its first windows of speech."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.whisper.rows import Languages
from schemas.transcripts.transcript import LanguageGuess

SURE_PROBABILITY: Final = 0.5
"""Probability from which one window decides alone."""
WINDOWS_LIMIT: Final = 3
"""Windows that are examined before their mean decides."""
GUESSES: Final = 5


@dataclass(frozen=True, slots=True)
class SpokenLanguage:
    """The language in use. ``probability`` is None where the caller named it."""

    code: str
    probability: float | None = None
    guesses: tuple[LanguageGuess, ...] = ()


def decide_language(detections: Sequence[Languages], *, more_to_come: bool) -> SpokenLanguage | None:
    """Return the language; None while another window should be examined first, or when there is none."""
    if not detections:
        return None
    if detections[-1][0][1] >= SURE_PROBABILITY:
        return _spoken_language(detections[-1])
    if more_to_come and len(detections) < WINDOWS_LIMIT:
        return None
    sums: defaultdict[str, float] = defaultdict(float)
    for window in detections:
        for code, probability in window:
            sums[code] += probability / len(detections)
    return _spoken_language(tuple(sorted(sums.items(), key=lambda item: -item[1])))


def _spoken_language(found: Languages) -> SpokenLanguage:
    guesses = tuple(
        LanguageGuess(language=code, probability=round(min(1.0, probability), 4))
        for code, probability in found[:GUESSES]
    )
    return SpokenLanguage(found[0][0], guesses[0].probability, guesses)
