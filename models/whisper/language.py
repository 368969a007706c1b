"""Which language a recording is in, from its first windows of speech."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from models.whisper.rows import Languages
from schemas.transcripts.transcript import LanguageGuess

SURE_PROBABILITY = 0.5
"""One window at least this sure decides."""
WINDOWS_LIMIT = 3
"""Windows that are listened to before the mean of them decides."""
GUESSES = 5


@dataclass(frozen=True, slots=True)
class Spoken:
    """The language in use. ``probability`` is None where the caller named it."""

    language: str
    probability: float | None = None
    guesses: tuple[LanguageGuess, ...] = ()


def decide(heard: Sequence[Languages], *, more_to_come: bool) -> Spoken | None:
    """The language, or None while another window should be listened to first."""
    if not heard:
        return None
    if heard[-1][0][1] >= SURE_PROBABILITY:
        return _spoken(heard[-1])
    if more_to_come and len(heard) < WINDOWS_LIMIT:
        return None
    sums: defaultdict[str, float] = defaultdict(float)
    for window in heard:
        for language, probability in window:
            sums[language] += probability / len(heard)
    return _spoken(tuple(sorted(sums.items(), key=lambda item: -item[1])))


def _spoken(found: Languages) -> Spoken:
    guesses = tuple(
        LanguageGuess(language=language, probability=round(min(1.0, probability), 4))
        for language, probability in found[:GUESSES]
    )
    return Spoken(found[0][0], guesses[0].probability, guesses)
