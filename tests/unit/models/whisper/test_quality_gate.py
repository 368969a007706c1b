"""What the gate lets through, tries again, cuts in two or silences."""

import zlib
from dataclasses import replace

from models.whisper.gate import (
    COMPRESSION_RATIO_LIMIT,
    LOG_PROBABILITY_LIMIT,
    NO_SPEECH_LIMIT,
    PENALTIES,
    Action,
    Decoded,
    judge,
)
from schemas.transcripts.transcript import QualityFlag

GOOD = Decoded(
    tokens=(1, 2),
    text=" hello there, how are you today",
    avg_logprob=-0.3,
    no_speech_prob=0.01,
    penalty=1.0,
    truncated=False,
)
UNSURE = replace(GOOD, avg_logprob=-1.5)
LOOP = replace(GOOD, text=" click" * 60)


def test_a_good_window_is_accepted_without_flags() -> None:
    """The usual case costs one attempt."""
    ruling = judge((GOOD,), splittable=True)
    assert (ruling.action, ruling.chosen, ruling.flags) == (Action.ACCEPT, GOOD, ())


def test_a_loop_is_tried_again() -> None:
    """At the next penalty."""
    assert judge((LOOP,), splittable=True).action is Action.RETRY


def test_an_improbable_text_stands_and_says_so() -> None:
    """A repeated search finds the same; the flag tells readers how little it is worth."""
    ruling = judge((UNSURE,), splittable=True)
    assert (ruling.action, ruling.flags) == (Action.ACCEPT, (QualityFlag.LOW_CONFIDENCE,))


def test_what_a_retry_gave_is_flagged() -> None:
    """A reader can tell a text that had to be forced."""
    ruling = judge((LOOP, replace(GOOD, penalty=PENALTIES[1])), splittable=True)
    assert ruling.action is Action.ACCEPT
    assert ruling.flags == (QualityFlag.RETRIED,)


def test_the_last_attempt_stands_if_it_is_no_loop() -> None:
    """However improbable: it says what the loops do not."""
    best = replace(UNSURE, penalty=PENALTIES[-1])
    attempts = (LOOP,) * (len(PENALTIES) - 1) + (best,)
    ruling = judge(attempts, splittable=True)
    assert (ruling.action, ruling.chosen) == (Action.ACCEPT, best)
    assert ruling.flags == (QualityFlag.LOW_CONFIDENCE, QualityFlag.RETRIED)


def test_of_loops_alone_the_likeliest_stands_and_says_so() -> None:
    """Whichever attempt it was; nothing better came."""
    loops = [
        replace(LOOP, avg_logprob=sure, penalty=penalty)
        for sure, penalty in zip((-0.5, -0.2, -0.4), PENALTIES, strict=True)
    ]
    ruling = judge(tuple(loops), splittable=True)
    assert (ruling.action, ruling.chosen) == (Action.ACCEPT, loops[1])
    assert ruling.flags == (QualityFlag.REPETITION, QualityFlag.RETRIED)
    first = judge((replace(LOOP, avg_logprob=-0.1), *loops[1:]), splittable=True)
    assert (first.chosen.penalty, first.flags) == (1.0, (QualityFlag.REPETITION, QualityFlag.RETRIED))


def test_an_improbable_text_over_silence_is_suppressed() -> None:
    """No word is invented without speech, and nothing is retried."""
    ruling = judge((replace(UNSURE, no_speech_prob=0.9),), splittable=True)
    assert (ruling.action, ruling.flags) == (Action.SILENCE, (QualityFlag.SUPPRESSED_NO_SPEECH,))


def test_a_sure_text_is_kept_whatever_the_silence_token_says() -> None:
    """A high no-speech probability alone does not silence a window."""
    assert judge((replace(GOOD, no_speech_prob=0.9),), splittable=True).action is Action.ACCEPT


def test_no_text_is_silence_without_a_flag() -> None:
    """The model heard nothing; nothing was suppressed."""
    ruling = judge((replace(GOOD, tokens=(), text=""),), splittable=True)
    assert (ruling.action, ruling.flags) == (Action.SILENCE, ())


def test_dense_speech_that_met_the_token_limit_is_cut_in_two() -> None:
    """Fast Chinese does not fit 224 tokens; no penalty makes room."""
    assert judge((replace(GOOD, truncated=True),), splittable=True).action is Action.SPLIT


def test_a_loop_that_met_the_token_limit_is_tried_again() -> None:
    """Cutting would give two loops."""
    assert judge((replace(LOOP, truncated=True),), splittable=True).action is Action.RETRY


def test_what_cannot_be_cut_further_is_flagged() -> None:
    """The end of the window may be missing, and the transcript says so."""
    ruling = judge((replace(GOOD, truncated=True),), splittable=False)
    assert (ruling.action, ruling.flags) == (Action.ACCEPT, (QualityFlag.TRUNCATED_AT_TOKEN_LIMIT,))


def test_thresholds_are_those_that_were_published() -> None:
    """What lies at one is on the good side of it."""
    at_limit = replace(GOOD, avg_logprob=LOG_PROBABILITY_LIMIT)
    assert judge((at_limit,), splittable=True).flags == ()
    assert judge((replace(UNSURE, no_speech_prob=NO_SPEECH_LIMIT),), splittable=True).action is Action.ACCEPT
    assert judge((replace(UNSURE, no_speech_prob=0.61),), splittable=True).action is Action.SILENCE
    assert (COMPRESSION_RATIO_LIMIT, LOG_PROBABILITY_LIMIT, NO_SPEECH_LIMIT) == (2.4, -1.0, 0.6)
    assert PENALTIES == (1.0, 1.1, 1.3)


def test_a_loop_is_what_compresses_more_than_the_limit() -> None:
    """Bytes of UTF-8 by bytes compressed, spaces around the text left out."""
    text = "한국어 텍스트입니다. " * 3
    ratio = len(text.strip().encode()) / len(zlib.compress(text.strip().encode()))
    assert replace(GOOD, text=f"  {text}").compression_ratio == ratio
    short = next(
        n for n in range(1, 60) if replace(GOOD, text=" click" * n).compression_ratio > COMPRESSION_RATIO_LIMIT
    )
    assert judge((replace(GOOD, text=" click" * short),), splittable=True).action is Action.RETRY
    assert judge((replace(GOOD, text=" click" * (short - 1)),), splittable=True).action is Action.ACCEPT
