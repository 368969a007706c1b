"""Reasoning is separated from the answer, whole or streamed, for any division into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vllm.servers.reasoning import ReasoningFilter, without_reasoning

PARTS = st.sampled_from(["<think>", "</think>", "<", "</", "think>", " ", "\n", "a", "{", "[", "lamp"])


def streamed(pieces: list[str]) -> str:
    """Return the text that a listener has at the end."""
    text = ""

    def listen(piece: str | None) -> None:
        nonlocal text
        text = "" if piece is None else text + piece

    answer = ReasoningFilter(listen)
    for piece in pieces:
        answer.add(piece)
    answer.end()
    return text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>Hm.</think>\n\nThe lamp.", "The lamp."),
        ("Hm. They ask for it.</think>\n\nThe lamp.", "The lamp."),
        ("</think>The lamp.", "The lamp."),
        ("<think>Hm.", ""),
        ("The lamp. <think>", "The lamp. <think>"),
        ("Say <think> and </think> aloud.", "Say <think> and </think> aloud."),
        ('{"title": "a </think> b"}', '{"title": "a </think> b"}'),
        ("Hm.</think>The end </think> of it.", "The end </think> of it."),
    ],
)
def test_the_answer_follows_the_reasoning(text: str, answer: str) -> None:
    """Either the model or its template writes the opening tag. Strings in JSON may contain tags."""
    assert without_reasoning(text) == answer


@given(st.lists(PARTS, max_size=12))
def test_a_stream_gives_the_same_answer(pieces: list[str]) -> None:
    """For any pieces, except for leading blanks."""
    assert streamed(pieces).lstrip() == without_reasoning("".join(pieces)).lstrip()
    assert streamed(list("".join(pieces))).lstrip() == without_reasoning("".join(pieces)).lstrip()
