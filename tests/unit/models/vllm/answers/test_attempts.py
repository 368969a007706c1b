"""Attempts at an answer: how the model is asked again, and which answer is kept."""

import pytest

from models.vllm.answers.reading import InvalidAnswer
from models.vllm.enrichment.attempts import (
    ANSWER_ATTEMPTS,
    FREQUENCY_PENALTY,
    LOOP_TEMPERATURE,
    RETRY_TEMPERATURE,
    Answer,
    Attempts,
    Sampling,
)
from schemas.transcripts.answer_flags import AnswerFlag

LOOP = Answer("a", "a", (AnswerFlag.REPETITION,))
SHORT = Answer("b", "b", (AnswerFlag.SHORT,))
WORSE = Answer("c", "c", (AnswerFlag.SHORT, AnswerFlag.WRONG_LANGUAGE))
GOOD = Answer("d", "d")


def test_a_good_answer_ends_the_attempts() -> None:
    """It is asked for at the question's own temperature, without a penalty."""
    attempts = Attempts(0.2)
    assert attempts.next() == Sampling(0.2)
    attempts.on_answer(GOOD)
    assert attempts.next() is None
    assert attempts.best() is GOOD


def test_loops_are_asked_again_with_a_penalty_and_never_kept() -> None:
    """The second time at the same temperature; then it is at least 0.3, since 0 would give the same again."""
    attempts = Attempts(0.0)
    asked = []
    while (sampling := attempts.next()) is not None:
        asked.append(sampling)
        attempts.on_answer(LOOP)
    assert asked == [
        Sampling(0.0),
        Sampling(0.0, FREQUENCY_PENALTY),
        Sampling(LOOP_TEMPERATURE, FREQUENCY_PENALTY),
    ]
    with pytest.raises(InvalidAnswer, match=r"^after 3 answers: the answer is flagged repetition$") as refused:
        attempts.best()
    assert refused.value.flags == (AnswerFlag.REPETITION,)


def test_the_better_of_two_flagged_answers_is_kept() -> None:
    """There is no third attempt once one can be published; of equals the first stays."""
    for first, second, kept in ((WORSE, SHORT, SHORT), (SHORT, WORSE, SHORT), (SHORT, LOOP, SHORT)):
        attempts = Attempts(0.3)
        attempts.on_answer(first)
        assert attempts.next() == Sampling(0.3, FREQUENCY_PENALTY)
        attempts.on_answer(second)
        assert attempts.next() is None
        assert attempts.best() is kept


def test_a_good_answer_replaces_a_flagged_one() -> None:
    """It has no flags."""
    attempts = Attempts(0.3)
    attempts.on_answer(SHORT)
    attempts.on_answer(GOOD)
    assert attempts.best() is GOOD


def test_invalid_answers_are_asked_again_at_a_higher_temperature() -> None:
    """Without a penalty, which would weigh on the quotation marks of JSON."""
    attempts = Attempts(0.0)
    for number in range(ANSWER_ATTEMPTS):
        assert attempts.next() == Sampling(RETRY_TEMPERATURE if number else 0.0)
        attempts.on_invalid(InvalidAnswer("not JSON"), is_cut_off=number == 1)
    assert (attempts.next(), attempts.cut_off) == (None, 1)
    with pytest.raises(InvalidAnswer, match="after 3 answers: not JSON") as refused:
        attempts.best()
    assert refused.value.flags == ()


def test_a_loop_that_the_limit_cut_off_is_asked_again_with_a_penalty() -> None:
    """It is no JSON, and its flags say why."""
    attempts = Attempts(0.2)
    attempts.on_invalid(InvalidAnswer("not JSON", (AnswerFlag.REPETITION,)), is_cut_off=True)
    assert attempts.next() == Sampling(0.2, FREQUENCY_PENALTY)
    attempts.on_answer(GOOD)
    assert attempts.best() is GOOD
