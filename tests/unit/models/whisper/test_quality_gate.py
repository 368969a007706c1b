"""What the gate lets through, tries again, cuts in two or silences."""

import zlib
from dataclasses import replace

from models.whisper.gate import (
    COMPRESSION_RATIO_LIMIT,
    LOG_PROBABILITY_LIMIT,
    LOOP_TOKENS,
    NO_SPEECH_LIMIT,
    PENALTIES,
    Action,
    Decoded,
    Judgement,
    Search,
    Thresholds,
    judge,
    searches,
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
SEARCHES = searches(Search(5))


def ruled(*attempts: Decoded, splittable: bool = True) -> Judgement:
    """Judge attempts that were made in the order of the searches at beam 5."""
    return judge(attempts, searches_left=len(SEARCHES) - len(attempts), splittable=splittable)


def test_a_good_window_is_accepted_without_flags() -> None:
    """The usual case costs one attempt."""
    ruling = ruled(GOOD)
    assert (ruling.action, ruling.chosen, ruling.flags) == (Action.ACCEPT, GOOD, ())


def test_the_searches_are_a_plan_that_reads_from_the_first_to_the_last() -> None:
    """The caller's beam, the other beam, then the caller's with rising penalties."""
    loops = [(penalty, 1.0, 1.0, LOOP_TOKENS) for penalty in PENALTIES]
    assert searches(Search(5)) == (Search(5), Search(1), *(Search(5, *loop) for loop in loops))
    assert searches(Search(2))[1] == Search(1)
    assert searches(Search(1)) == (Search(1), Search(5), *(Search(1, *loop) for loop in loops))


def test_further_searches_keep_what_the_caller_asked_for() -> None:
    """Penalties multiply, a shorter run of tokens stays forbidden, and patience is for the caller's beam alone."""
    asked = Search(4, 1.2, 2.0, 0.5, 3, (7,), suppress_blank=False)
    first, other, *loops = searches(asked)
    assert first == asked
    assert other == replace(asked, beam_size=1, patience=1.0)
    assert loops == [replace(asked, penalty=1.2 * penalty) for penalty in PENALTIES]


def test_texts_compare_at_the_penalty_that_was_asked_for() -> None:
    """The more probable of the first two searches is taken, whatever the penalty of both."""
    texts = tuple(replace(UNSURE, penalty=1.2, avg_logprob=score) for score in (-1.4, -0.3))
    assert ruled(*texts).chosen == texts[1]


def test_thresholds_are_those_of_the_job() -> None:
    """Each moves its own limit: of loops, of improbable texts, of speech."""
    doubtful = replace(UNSURE, no_speech_prob=0.5)

    def action(decoded: Decoded, thresholds: Thresholds) -> Action:
        return judge((decoded,), searches_left=3, splittable=False, thresholds=thresholds).action

    assert action(GOOD, Thresholds(compression_ratio=0.5)) is Action.RETRY
    assert action(GOOD, Thresholds(log_probability=GOOD.avg_logprob + 0.01)) is Action.RETRY
    assert action(UNSURE, Thresholds(log_probability=-1_000.0)) is Action.ACCEPT
    assert action(doubtful, Thresholds()) is Action.RETRY
    assert action(doubtful, Thresholds(no_speech=0.4)) is Action.SILENCE


def test_a_loop_is_tried_again() -> None:
    """By each search that is left."""
    assert ruled(LOOP).action is Action.RETRY
    assert ruled(LOOP, LOOP).action is Action.RETRY
    assert ruled(LOOP, LOOP, LOOP).action is Action.RETRY
    assert ruled(LOOP, LOOP, LOOP, LOOP).action is Action.ACCEPT


def test_of_two_improbable_texts_the_more_probable_one_stands() -> None:
    """The second beam may find what the first one missed, or worse."""
    assert ruled(UNSURE).action is Action.RETRY
    better, worse = replace(GOOD, text=" good"), replace(UNSURE, avg_logprob=-1.6)
    ruling = ruled(UNSURE, better)
    assert (ruling.action, ruling.chosen, ruling.flags) == (Action.ACCEPT, better, (QualityFlag.RETRIED,))
    ruling = ruled(UNSURE, worse)
    assert (ruling.action, ruling.chosen) == (Action.ACCEPT, UNSURE)
    assert ruling.flags == (QualityFlag.LOW_CONFIDENCE, QualityFlag.RETRIED)


def test_an_improbable_text_stands_where_the_second_beam_finds_none_or_a_loop() -> None:
    """Words are not given up for nothing, however probable nothing is."""
    for second in (replace(GOOD, tokens=(), text="", avg_logprob=0.0), replace(LOOP, avg_logprob=-0.1)):
        ruling = ruled(UNSURE, second)
        assert (ruling.action, ruling.chosen) == (Action.ACCEPT, UNSURE)


def test_what_a_retry_gave_is_flagged() -> None:
    """A reader can tell a text that had to be forced."""
    ruling = ruled(LOOP, LOOP, replace(GOOD, penalty=PENALTIES[0]))
    assert ruling.action is Action.ACCEPT
    assert ruling.flags == (QualityFlag.RETRIED,)


def test_the_first_text_that_is_no_loop_stands() -> None:
    """However improbable: it says what the loops do not."""
    for attempts in ((LOOP, UNSURE), (LOOP, LOOP, LOOP, replace(UNSURE, penalty=PENALTIES[-1]))):
        ruling = ruled(*attempts)
        assert (ruling.action, ruling.chosen) == (Action.ACCEPT, attempts[-1])
        assert ruling.flags == (QualityFlag.LOW_CONFIDENCE, QualityFlag.RETRIED)


def test_of_loops_alone_the_likelier_without_a_penalty_stands_and_says_so() -> None:
    """A penalty changes the scores, so the others do not compare."""
    loops = [
        replace(LOOP, avg_logprob=score, penalty=search.penalty)
        for score, search in zip((-0.5, -0.2, -0.1, -0.1), SEARCHES, strict=True)
    ]
    ruling = ruled(*loops)
    assert (ruling.action, ruling.chosen) == (Action.ACCEPT, loops[1])
    assert ruling.flags == (QualityFlag.REPETITION, QualityFlag.RETRIED)
    assert ruled(replace(LOOP, avg_logprob=-0.15), *loops[1:]).chosen.avg_logprob == -0.15


def test_a_loop_after_which_nothing_is_found_is_silence() -> None:
    """A loop is no text to keep when a later search finds the end of the text at once."""
    assert ruled(LOOP, replace(GOOD, tokens=(), text="")).action is Action.SILENCE


def test_an_improbable_text_over_silence_is_suppressed() -> None:
    """No word is invented without speech, and nothing is retried."""
    ruling = ruled(replace(UNSURE, no_speech_prob=0.9))
    assert (ruling.action, ruling.flags) == (Action.SILENCE, (QualityFlag.SUPPRESSED_NO_SPEECH,))


def test_a_sure_text_is_kept_whatever_the_silence_token_says() -> None:
    """A high no-speech probability alone does not silence a window."""
    assert ruled(replace(GOOD, no_speech_prob=0.9)).action is Action.ACCEPT


def test_no_text_is_silence_without_a_flag() -> None:
    """The model heard nothing; nothing was suppressed."""
    ruling = ruled(replace(GOOD, tokens=(), text=""))
    assert (ruling.action, ruling.flags) == (Action.SILENCE, ())


def test_dense_speech_that_met_the_token_limit_is_cut_in_two() -> None:
    """Fast Chinese does not fit 224 tokens; no penalty makes room."""
    assert ruled(replace(GOOD, truncated=True)).action is Action.SPLIT


def test_a_loop_that_met_the_token_limit_is_tried_again() -> None:
    """Cutting would give two loops."""
    assert ruled(replace(LOOP, truncated=True)).action is Action.RETRY


def test_what_cannot_be_cut_further_is_flagged() -> None:
    """The end of the window may be missing, and the transcript says so."""
    ruling = ruled(replace(GOOD, truncated=True), splittable=False)
    assert (ruling.action, ruling.flags) == (Action.ACCEPT, (QualityFlag.TRUNCATED_AT_TOKEN_LIMIT,))
    improbable = ruled(replace(UNSURE, truncated=True), splittable=False)
    assert (improbable.action, improbable.flags[0]) == (Action.ACCEPT, QualityFlag.LOW_CONFIDENCE)


def test_thresholds_are_those_that_were_published() -> None:
    """What lies at one is on the good side of it."""
    at_limit = replace(GOOD, avg_logprob=LOG_PROBABILITY_LIMIT)
    assert ruled(at_limit).flags == ()
    assert ruled(replace(UNSURE, no_speech_prob=NO_SPEECH_LIMIT)).action is Action.RETRY
    assert ruled(replace(UNSURE, no_speech_prob=0.61)).action is Action.SILENCE
    assert (COMPRESSION_RATIO_LIMIT, LOG_PROBABILITY_LIMIT, NO_SPEECH_LIMIT) == (2.4, -1.0, 0.6)
    assert PENALTIES == (1.1, 1.3)


def test_a_loop_is_what_compresses_more_than_the_limit() -> None:
    """Bytes of UTF-8 by bytes compressed, spaces around the text left out."""
    text = "한국어 텍스트입니다. " * 3
    ratio = len(text.strip().encode()) / len(zlib.compress(text.strip().encode()))
    assert replace(GOOD, text=f"  {text}").compression_ratio == ratio
    short = next(
        n for n in range(1, 60) if replace(GOOD, text=" click" * n).compression_ratio > COMPRESSION_RATIO_LIMIT
    )
    assert ruled(replace(GOOD, text=" click" * short)).action is Action.RETRY
    assert ruled(replace(GOOD, text=" click" * (short - 1))).action is Action.ACCEPT
