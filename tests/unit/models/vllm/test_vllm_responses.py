"""Completions read from choices of every shape that servers write."""

import math
from typing import Any

import pytest

from models.vllm.servers.completion import Completion, TokenCounts
from models.vllm.servers.problems import ServerFailed
from models.vllm.servers.responses import CompletionBuilder, read_completion, read_delta, read_json


def whole(finish_reason: object = "stop", **message: object) -> Completion:
    """Read the completion of one message."""
    return read_completion({"choices": [{"message": message, "finish_reason": finish_reason}]})


def streamed(finish_reason: object = "stop", *deltas: dict[str, Any]) -> Completion:
    """Read the completion of some deltas."""
    builder = CompletionBuilder()
    for delta in deltas:
        read_delta({"choices": [{"delta": delta, "finish_reason": None}]}, builder)
    read_delta({"choices": [{"delta": {}, "finish_reason": finish_reason}]}, builder)
    return builder.build(TokenCounts(requests=1))


@pytest.mark.parametrize(
    ("finish_reason", "complete", "kept"),
    [
        ("stop", True, "stop"),
        ("length", False, "length"),
        ("repetition", False, "repetition"),
        ("x" * 100, False, "x" * 64),
        (None, False, "missing"),
    ],
)
def test_only_stop_is_complete(finish_reason: str | None, complete: bool, kept: str) -> None:
    """Any other finish reason is kept as it is, up to a length; a missing one is marked."""
    for answer in (whole(finish_reason, content="yes"), streamed(finish_reason, {"content": "yes"})):
        assert (answer.text, answer.is_complete, answer.finish_reason) == ("yes", complete, kept)


@pytest.mark.parametrize("finish_reason", ["abort", "error"])
def test_an_aborted_completion_is_a_failure_of_the_server(finish_reason: str) -> None:
    """The text may be whole by chance, but a client cannot know."""
    with pytest.raises(ServerFailed, match=f"finish_reason {finish_reason}"):
        whole(finish_reason, content="yes")
    with pytest.raises(ServerFailed, match=f"finish_reason {finish_reason}"):
        streamed(finish_reason, {"content": "yes"})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "one "}, {"type": "text", "text": "two"}], "one two"),
        ([{"type": "output_text", "text": "one"}], "one"),
        (["one ", {"text": "two"}], "one two"),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "one"}], "one"),
        ([], ""),
    ],
)
def test_parts_of_content_are_one_text(content: list[Any], text: str) -> None:
    """Parts of other types are left out."""
    assert whole(content=content).text == streamed("stop", {"content": content}).text == text


@pytest.mark.parametrize("content", [{"text": "x"}, 3, [3], [{"type": "text"}], [{"type": "text", "text": 3}]])
def test_content_that_is_no_text_is_a_failure_of_the_server(content: object) -> None:
    """Nothing is published that the model did not write."""
    with pytest.raises(ServerFailed, match="another shape"):
        whole(content=content)


@pytest.mark.parametrize("finish_reason", [{"reason": "stop"}, ["stop"], 1])
def test_a_finish_reason_that_is_no_text_is_a_failure_of_the_server(finish_reason: object) -> None:
    """It is handled as any unexpected shape."""
    with pytest.raises(ServerFailed, match="another shape"):
        whole(finish_reason, content="yes")


@pytest.mark.parametrize(
    ("finish_reason", "message", "reason"),
    [
        ("stop", {"content": None, "refusal": "No."}, "the model refused: No."),
        ("stop", {"content": [{"type": "refusal", "refusal": "No."}]}, "the model refused: No."),
        (
            "tool_calls",
            {"content": None, "tool_calls": [{"function": {"name": "f"}}]},
            "the model called f instead",
        ),
        ("stop", {"content": None, "function_call": {"name": "g"}}, "the model called g instead"),
        ("tool_calls", {"content": None}, "the model called a tool instead"),
        ("length", {"content": None, "reasoning": "hm"}, "reasoning used up the tokens"),
        ("length", {"content": "", "reasoning_content": "hm"}, "reasoning used up the tokens"),
        ("length", {"content": "<think>hm"}, "reasoning used up the tokens"),
        ("stop", {"content": None, "reasoning": "hm"}, "the model reasoned and did not answer"),
        ("length", {"content": None}, "the token limit came before any text"),
        ("content_filter", {"content": None}, "the server sent no text (finish_reason content_filter)"),
        ("stop", {"content": " \n"}, "the server sent no text (finish_reason stop)"),
    ],
)
def test_an_empty_completion_has_a_reason(finish_reason: str, message: dict[str, Any], reason: str) -> None:
    """Where the operator can do something, the message says what; streamed or whole."""
    for answer in (whole(finish_reason, **message), streamed(finish_reason, message)):
        assert answer.text.strip() == ""
        assert answer.empty_reason.startswith(reason)


def test_a_completion_with_text_has_no_empty_reason() -> None:
    """Reasoning beside the text changes nothing."""
    assert whole(content="yes", reasoning="hm", refusal=None, tool_calls=[]).empty_reason == ""


TEXT = {"text": "x"}


@pytest.mark.parametrize(
    "payload",
    [
        *(None, [], {}, {"choices": []}, {"choices": [{}]}, {"choices": [None]}, {"choices": [{"message": 1}]}),
        *({"choices": [TEXT], "usage": {"prompt_tokens": tokens}} for tokens in ("many", [1], math.inf)),
    ],
)
def test_an_answer_of_another_shape_is_a_failure_of_the_server(payload: object) -> None:
    """Reading it raises no KeyError or other exception."""
    with pytest.raises(ServerFailed):
        read_completion(payload)


@pytest.mark.parametrize(
    "payload",
    [
        *(None, [], {"choices": 1}, {"choices": [None]}, {"choices": [{"delta": "x"}]}),
        *(
            {"choices": [TEXT], "usage": usage}
            for usage in ({"prompt_tokens": "many"}, {"completion_tokens": {}, "prompt_tokens": [1]})
        ),
    ],
)
def test_a_part_of_a_stream_of_another_shape_is_a_failure_of_the_server(payload: object) -> None:
    """The same holds as for whole completions."""
    with pytest.raises(ServerFailed):
        read_delta(payload, CompletionBuilder())


def test_garbage_is_a_failure_of_the_server() -> None:
    """Bytes may be no JSON, or JSON nested without end."""
    for raw in (b"\xff\x00<html>", b"", b"[" * 100_000):
        with pytest.raises(ServerFailed):
            read_json(raw)
