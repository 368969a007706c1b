"""The language of each span of speech, for files that change it. Pure.

A long span shows its language clearly; a single word does not, and would often be taken for another language.
So spans are decided together: the languages are chosen that explain best what was detected, where each change of
language has a cost (the most probable path of a hidden Markov model, found with Viterbi's algorithm). Scores are
natural logarithms of probabilities.

``likely_changes`` says where a window is cut, from detection on parts of its encoding. That detection is coarse:
an encoding mixes what is near. ``decide_languages`` takes the pieces, detected by themselves, and what the file
has had so far.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from typing import Final

from models.whisper.rows import Languages

LEAST_PROBABILITY: Final = 1e-4
"""Detection is never so sure that a language is not spoken."""
CLEAR_SECONDS: Final = 2.0
"""Spans from this length count fully; shorter ones by their share of it."""
CUT_COST: Final = 2.4
"""What must speak for a change within a window before the window is cut: a factor of eleven."""
CHANGE_COST: Final = 1.0
"""What must speak for a change of language besides its share of the file."""
UNHEARD_SECONDS: Final = 10.0
"""Weight of the languages that the file has not had, all together, beside the seconds of those that it has had."""
EXPECTED_SECONDS: Final = 30.0
"""Weight of a language that the caller named."""


@dataclass(frozen=True, slots=True)
class HeardSpan:
    """Speech, and what detection says of it."""

    seconds: float
    languages: Languages


@dataclass(frozen=True, slots=True)
class LanguageHistory:
    """Seconds of speech in each language so far, and the language of the last span."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    last: str | None = None

    def extended(self, spans: Sequence[HeardSpan], languages: Sequence[str]) -> "LanguageHistory":
        """Return the history with further spans and their languages."""
        seconds = dict(self.seconds)
        for span, language in zip(spans, languages, strict=True):
            seconds[language] = seconds.get(language, 0.0) + span.seconds
        return LanguageHistory(seconds, languages[-1] if languages else self.last)


def likely_changes(spans: Sequence[HeardSpan]) -> tuple[int, ...]:
    """Return the places of the spans that are likely in another language than the one before."""
    path = _most_probable_path(spans, _codes(spans), first=lambda _: 0.0, cost=lambda _: CUT_COST)
    return tuple(place for place in range(1, len(path)) if path[place] != path[place - 1])


def decide_languages(spans: Sequence[HeardSpan], history: LanguageHistory) -> tuple[str, ...]:
    """Return the language of each span. Equal arguments give equal languages."""
    codes = sorted({*_codes(spans), *history.seconds})
    total = sum(history.seconds.values()) + UNHEARD_SECONDS
    costs = {code: -log((history.seconds.get(code, 0.0) + UNHEARD_SECONDS / len(codes)) / total) for code in codes}
    return _most_probable_path(
        spans,
        codes,
        first=lambda code: -costs[code] - (CHANGE_COST if history.last not in (None, code) else 0.0),
        cost=lambda code: CHANGE_COST + costs[code],
    )


def _codes(spans: Sequence[HeardSpan]) -> list[str]:
    return sorted({code for span in spans for code, _ in span.languages})


def _most_probable_path(
    spans: Sequence[HeardSpan],
    codes: Sequence[str],
    *,
    first: Callable[[str], float],
    cost: Callable[[str], float],
) -> tuple[str, ...]:
    """Return the languages with the highest score: of the first one, of the evidence, less the cost of changes."""
    paths: dict[str, tuple[str, ...]] = {}
    scores: dict[str, float] = {}
    for span in spans:
        found = dict(span.languages)
        best = max(codes, key=lambda code: scores[code]) if scores else ""
        before, paths_before = scores, paths
        scores, paths = {}, {}
        for code in codes:
            origin, reached = code, before[code] if before else first(code)
            if best and before[best] - cost(code) > reached:
                origin, reached = best, before[best] - cost(code)
            scores[code] = reached + _evidence(span.seconds, found.get(code, 0.0))
            paths[code] = (*paths_before.get(origin, ()), code)
    return paths[max(codes, key=lambda code: scores[code])] if spans else ()


def _evidence(seconds: float, probability: float) -> float:
    return min(1.0, seconds / CLEAR_SECONDS) * log(max(LEAST_PROBABILITY, probability))
