"""Quality gate: accept, retry, split or silence the decoded text of a window.

Thresholds are those that Whisper's authors published and faster-whisper uses for a single window.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from schemas.transcripts.transcript import QualityFlag

GREEDY_BEAM: Final = 1
OTHER_BEAM: Final = 5
"""What a caller's greedy search is tried beside."""
PENALTIES: Final = (1.1, 1.3)
"""The repetition penalties of the last searches (Keskar et al. 2019, arXiv:1909.05858).

Whisper's authors retry by sampling at rising temperatures. CTranslate2 (4.8) cannot seed a sampler that has been
used, so the same file would give different words each time, and results could be neither compared nor reused. A
penalty breaks loops as well, and gives the same result every time.
"""
LOOP_TOKENS: Final = 8
"""In the last searches, no run of this many tokens may occur twice in a window; speech repeats none this long."""
COMPRESSION_RATIO_LIMIT: Final = 2.4
LOG_PROBABILITY_LIMIT: Final = -1.0
NO_SPEECH_LIMIT: Final = 0.6


@dataclass(frozen=True, slots=True)
class Search:
    """A deterministic search for the text of a window: what CTranslate2 takes once per call.

    ``penalty`` is the repetition penalty; 1 is none. Of ``suppress_tokens``, -1 stands for the vocabulary's list.
    """

    beam_size: int
    penalty: float = 1.0
    patience: float = 1.0
    length_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    suppress_tokens: tuple[int, ...] = (-1,)
    suppress_blank: bool = True


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a window's text is measured against."""

    compression_ratio: float = COMPRESSION_RATIO_LIMIT
    log_probability: float = LOG_PROBABILITY_LIMIT
    no_speech: float = NO_SPEECH_LIMIT

    def repeats(self, decoded: "Decoded") -> bool:
        """Return whether the text is a loop."""
        return decoded.compression_ratio > self.compression_ratio

    def is_improbable(self, decoded: "Decoded") -> bool:
        """Return whether the text is less probable than what the model usually finds in speech."""
        return decoded.avg_logprob < self.log_probability

    def is_silence(self, decoded: "Decoded") -> bool:
        """Return whether the window has no speech, and its text was made up."""
        return decoded.no_speech_prob > self.no_speech and self.is_improbable(decoded)


PUBLISHED: Final = Thresholds()
"""The thresholds of Whisper's authors."""


def searches(first: Search) -> tuple[Search, ...]:
    """Return the searches that a window is given in turn, as far as needed; the ``first`` is what callers ask for.

    The second one, with another beam, is for improbable texts and for loops; the penalties are for loops only. A
    penalty changes the scores even where the text stays the same (``tests/benchmarks/speech/scores.py``), so only
    the first two compare.
    """
    other = OTHER_BEAM if first.beam_size == GREEDY_BEAM else GREEDY_BEAM
    ngram = min(first.no_repeat_ngram_size or LOOP_TOKENS, LOOP_TOKENS)
    return (
        first,
        replace(first, beam_size=other, patience=1.0),
        *(replace(first, penalty=first.penalty * each, no_repeat_ngram_size=ngram) for each in PENALTIES),
    )


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of one row. ``truncated``: the token limit came before the end of the text.

    ``avg_logprob`` compares with that of texts found at the same penalty, whatever the beam.
    """

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    penalty: float
    truncated: bool

    @property
    def compression_ratio(self) -> float:
        """Bytes of text per byte compressed: loops compress well."""
        encoded = self.text.strip().encode()
        return len(encoded) / len(zlib.compress(encoded))

    @property
    def is_empty(self) -> bool:
        """Whether the model found nothing to write."""
        return not self.text.strip()


class Action(StrEnum):
    """What to do with a window after an attempt."""

    ACCEPT = "accept"
    SILENCE = "silence"
    RETRY = "retry"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The action after the last attempt; ``chosen`` is the text to use unless the action is RETRY or SPLIT."""

    action: Action
    chosen: Decoded
    flags: tuple[QualityFlag, ...] = ()

    @property
    def is_loop(self) -> bool:
        """Whether all attempts were loops, and the one to use is to be cut."""
        return QualityFlag.REPETITION in self.flags


def judge(
    attempts: tuple[Decoded, ...], *, searches_left: int, splittable: bool, thresholds: Thresholds = PUBLISHED
) -> Judgement:
    """Judge the attempts at one window, made by ``searches`` in order; the last one is new.

    A text cut off at the token limit is split in two unless it only repeats itself: no search makes room.
    An improbable text is compared with that of the second search, and the more probable one is accepted.
    Loops are searched again until there is another text or no search is left.
    """
    last = attempts[-1]
    if thresholds.is_silence(last):
        return Judgement(Action.SILENCE, last, (QualityFlag.SUPPRESSED_NO_SPEECH,))
    texts = [each for each in attempts if not each.is_empty and not thresholds.repeats(each)]
    if last.is_empty and not texts:
        return Judgement(Action.SILENCE, last)
    if last in texts and last.truncated and splittable:
        return Judgement(Action.SPLIT, last)
    if searches_left and _needs_another_search(attempts, texts, thresholds):
        return Judgement(Action.RETRY, last)
    comparable = _comparable(texts or attempts, penalty=attempts[0].penalty)
    chosen = max(comparable, key=lambda each: each.avg_logprob)
    return Judgement(Action.ACCEPT, chosen, _flags(chosen, thresholds, retried=len(attempts) > 1))


def _needs_another_search(attempts: Sequence[Decoded], texts: Sequence[Decoded], thresholds: Thresholds) -> bool:
    if not texts:
        return True
    # A truncated text that cannot be split is kept unchanged: another search would only lose more of it.
    is_final = len(attempts) > 1 or texts[0].truncated
    return thresholds.is_improbable(texts[0]) and not is_final


def _comparable(attempts: Sequence[Decoded], *, penalty: float) -> Sequence[Decoded]:
    """Return the attempts at the first search's penalty, where there are any: their scores compare."""
    return [each for each in attempts if each.penalty == penalty] or attempts


def _flags(chosen: Decoded, thresholds: Thresholds, *, retried: bool) -> tuple[QualityFlag, ...]:
    conditions = {
        QualityFlag.LOW_CONFIDENCE: thresholds.is_improbable(chosen),
        QualityFlag.REPETITION: thresholds.repeats(chosen),
        QualityFlag.TRUNCATED_AT_TOKEN_LIMIT: chosen.truncated,
        QualityFlag.RETRIED: retried,
    }
    return tuple(flag for flag, holds in conditions.items() if holds)
