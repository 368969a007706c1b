"""The quality gate: is what a window decoded to good enough, and if not, what then.

Thresholds are those that Whisper's authors published and faster-whisper uses for a window by itself.
"""

import zlib
from dataclasses import dataclass
from enum import StrEnum

from schemas.transcripts.transcript import QualityFlag

PENALTIES = (1.0, 1.1, 1.3)
"""The repetition penalty of each attempt (Keskar et al. 2019, arXiv:1909.05858); 1 is none.

Whisper's authors try again by sampling at rising temperatures. CTranslate2 (4.8) cannot seed a sampler that has
been used, so the same file would give other words each time, and results could neither be compared nor reused. A
penalty breaks loops too, and repeats.
"""
COMPRESSION_RATIO_LIMIT = 2.4
LOG_PROBABILITY_LIMIT = -1.0
NO_SPEECH_LIMIT = 0.6


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one row gave. ``truncated``: the token limit came before the end of the text."""

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


class Verdict(StrEnum):
    """What happens to a row."""

    ACCEPT = "accept"
    SILENCE = "silence"
    RETRY = "retry"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict on the last attempt; ``chosen`` is what stands unless it is tried again."""

    verdict: Verdict
    chosen: Decoded
    flags: tuple[QualityFlag, ...] = ()


def judge(attempts: tuple[Decoded, ...], *, splittable: bool) -> Ruling:
    """Rules on the attempts at one window, at rising penalties, the last one just made.

    A text cut off at the token limit is split in two if it does not merely repeat itself: no penalty makes room.
    A text that is improbable but sound stands, flagged: no other try makes likelier what a search found.
    After the last penalty the likeliest attempt stands, a loop as all of them are.
    """
    last = attempts[-1]
    repeats = last.compression_ratio > COMPRESSION_RATIO_LIMIT
    unsure = last.avg_logprob < LOG_PROBABILITY_LIMIT
    if last.no_speech_prob > NO_SPEECH_LIMIT and unsure:
        return Ruling(Verdict.SILENCE, last, (QualityFlag.SUPPRESSED_NO_SPEECH,))
    if not last.text.strip():
        return Ruling(Verdict.SILENCE, last)
    if last.truncated and not repeats and splittable:
        return Ruling(Verdict.SPLIT, last)
    # What is cut off but cannot be split is kept as it is: another try would only lose more of it.
    if not repeats:
        return Ruling(Verdict.ACCEPT, last, _flags(last))
    if len(attempts) < len(PENALTIES):
        return Ruling(Verdict.RETRY, last)
    chosen = max(attempts, key=lambda each: each.avg_logprob)
    return Ruling(Verdict.ACCEPT, chosen, _flags(chosen, retried=True))


def _flags(chosen: Decoded, *, retried: bool = False) -> tuple[QualityFlag, ...]:
    held = {
        QualityFlag.LOW_CONFIDENCE: chosen.avg_logprob < LOG_PROBABILITY_LIMIT,
        QualityFlag.REPETITION: chosen.compression_ratio > COMPRESSION_RATIO_LIMIT,
        QualityFlag.TRUNCATED_AT_TOKEN_LIMIT: chosen.truncated,
        QualityFlag.RETRIED: retried or chosen.penalty > 1,
    }
    return tuple(flag for flag, holds in held.items() if holds)
