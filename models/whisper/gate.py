"""Quality gate: accept, retry, split or silence the decoded text of a window.

Thresholds are those that Whisper's authors published and faster-whisper uses for a single window.
"""

import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.transcripts.transcript import QualityFlag

PENALTIES: Final = (1.0, 1.1, 1.3)
"""The repetition penalty of each attempt (Keskar et al. 2019, arXiv:1909.05858); 1 is none.

Whisper's authors retry by sampling at rising temperatures. CTranslate2 (4.8) cannot seed a sampler that has been
used, so the same file would give different words each time, and results could be neither compared nor reused. A
penalty breaks loops as well, and gives the same result every time.
"""
COMPRESSION_RATIO_LIMIT: Final = 2.4
LOG_PROBABILITY_LIMIT: Final = -1.0
NO_SPEECH_LIMIT: Final = 0.6


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of one row. ``truncated``: the token limit came before the end of the text."""

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


def judge(attempts: tuple[Decoded, ...], *, splittable: bool) -> Judgement:
    """Judge the attempts at one window, made at rising penalties; the last one is new.

    A text cut off at the token limit is split in two unless it only repeats itself: no penalty makes room.
    An improbable text that does not repeat is accepted with a flag: another search finds no likelier one.
    After the last penalty the likeliest attempt is accepted, even when all of them are loops.
    """
    last = attempts[-1]
    repeats = last.compression_ratio > COMPRESSION_RATIO_LIMIT
    unsure = last.avg_logprob < LOG_PROBABILITY_LIMIT
    if last.no_speech_prob > NO_SPEECH_LIMIT and unsure:
        return Judgement(Action.SILENCE, last, (QualityFlag.SUPPRESSED_NO_SPEECH,))
    if not last.text.strip():
        return Judgement(Action.SILENCE, last)
    if last.truncated and not repeats and splittable:
        return Judgement(Action.SPLIT, last)
    # A truncated text that cannot be split is kept unchanged: another attempt would only lose more of it.
    if not repeats:
        return Judgement(Action.ACCEPT, last, _flags(last))
    if len(attempts) < len(PENALTIES):
        return Judgement(Action.RETRY, last)
    chosen = max(attempts, key=lambda each: each.avg_logprob)
    return Judgement(Action.ACCEPT, chosen, _flags(chosen, retried=True))


def _flags(chosen: Decoded, *, retried: bool = False) -> tuple[QualityFlag, ...]:
    conditions = {
        QualityFlag.LOW_CONFIDENCE: chosen.avg_logprob < LOG_PROBABILITY_LIMIT,
        QualityFlag.REPETITION: chosen.compression_ratio > COMPRESSION_RATIO_LIMIT,
        QualityFlag.TRUNCATED_AT_TOKEN_LIMIT: chosen.truncated,
        QualityFlag.RETRIED: retried or chosen.penalty > 1,
    }
    return tuple(flag for flag, holds in conditions.items() if holds)
