"""What a model thinks aloud is told from its answer, whole or streamed, wherever the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vllm.servers.reasoning import ReasoningFilter, without_reasoning

PARTS = st.sampled_from(["<think>", "</think>", "<", "</", "think>", " ", "\n", "a", "{", "[", "lamp"])


def streamed(pieces: list[str]) -> str:
    """What somebody who listens has in the end."""
    heard = ""

    def hear(piece: str | None) -> None:
        nonlocal heard
        heard = "" if piece is None else heard + piece

    answer = ReasoningFilter(hear)
    for piece in pieces:
        answer.add(piece)
    answer.end()
    return heard


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
def test_the_answer_is_what_follows_the_thoughts(text: str, answer: str) -> None:
    """Whether the model or its template opens them; JSON keeps what its strings hold."""
    assert without_reasoning(text) == answer


@given(st.lists(PARTS, max_size=12))
def test_a_stream_comes_to_the_same(pieces: list[str]) -> None:
    """In any pieces, but for blanks before the answer."""
    assert streamed(pieces).lstrip() == without_reasoning("".join(pieces)).lstrip()
    assert streamed(list("".join(pieces))).lstrip() == without_reasoning("".join(pieces)).lstrip()
