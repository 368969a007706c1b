"""Flags of what a language model answered about a transcript."""

from enum import StrEnum


class AnswerFlag(StrEnum):
    """Reason to review a language model's answer. No answer with one of the first three is published.

    - ``fence``: the marks that enclose the transcript in the prompt stand in the answer;
    - ``digit_run``: a number without end;
    - ``repetition``: the same words or items again and again;
    - ``duplicate_items``: items of a list that say the same;
    - ``task_echo``: the answer repeats the task or the rules of the prompt;
    - ``empty``: no words, although the transcript has content and the profile expects some;
    - ``wrong_language``: another language than requested;
    - ``short``: one or two words where sentences are expected.
    """

    FENCE = "fence"
    DIGIT_RUN = "digit_run"
    REPETITION = "repetition"
    DUPLICATE_ITEMS = "duplicate_items"
    TASK_ECHO = "task_echo"
    EMPTY = "empty"
    WRONG_LANGUAGE = "wrong_language"
    SHORT = "short"
