"""The language of a whole file, from its first windows of speech."""

from collections import defaultdict
from collections.abc import Collection, Sequence
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
        return spoken_language(detections[-1])
    if more_to_come and len(detections) < WINDOWS_LIMIT:
        return None
    sums: defaultdict[str, float] = defaultdict(float)
    for window in detections:
        for code, probability in window:
            sums[code] += probability / len(detections)
    return spoken_language(tuple(sorted(sums.items(), key=lambda item: -item[1])))


def among(candidates: Collection[str], found: Languages) -> Languages:
    """Return the probabilities of the candidates alone, adding up to 1; all of them where there are none."""
    if not candidates:
        return found
    kept = tuple((code, probability) for code, probability in found if code in candidates)
    total = sum(probability for _, probability in kept)
    # A model may give a language none of its probability: it stays a candidate, and the last.
    return tuple((code, probability / total if total else 1 / len(kept)) for code, probability in kept)


def spoken_language(found: Languages) -> SpokenLanguage:
    """Return the first of the languages found, and the most probable ones."""
    guesses = tuple(
        LanguageGuess(language=code, probability=round(min(1.0, probability), 4))
        for code, probability in found[:GUESSES]
    )
    return SpokenLanguage(found[0][0], guesses[0].probability, guesses)
