"""Request bodies for language model servers, field by field, for every kind of model and request."""

from dataclasses import replace
from typing import Any

import pytest

from models.vllm.servers.completion import CompletionRequest, Prompt, ServedModel, TokenCounts
from models.vllm.servers.requests import plain_prompt, prompt_body, request_body
from models.vllm.servers.responses import read_usage
from schemas.options import Lane

PROMPT = Prompt("You listen.", "[0] hello", "Summarise.")
SCHEMA = {"type": "object"}
REQUEST = CompletionRequest(
    PROMPT, 64, 0.3, "job:title:1", schema=SCHEMA, schema_name="title", cache_salt="tenant"
)
CHAT = ServedModel("m", 4_096)


def body(
    request: CompletionRequest = REQUEST,
    model: ServedModel = CHAT,
    *,
    stream: bool = False,
    priority: int | None = None,
) -> dict[str, Any]:
    """Return the body of one request."""
    return request_body(request, model, stream=stream, priority=priority)


def test_a_chat_model_gets_messages_and_no_reasoning() -> None:
    """The task comes last, after the material; the schema is strict, in the field that vLLM honours."""
    assert body() == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "You listen."},
            {"role": "user", "content": "[0] hello\nSummarise."},
        ],
        "chat_template_kwargs": {"enable_thinking": False},
        "temperature": 0.3,
        "top_p": 1.0,
        "stream": False,
        "max_completion_tokens": 64,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "title", "schema": SCHEMA, "strict": True},
        },
        "cache_salt": "tenant",
    }


def test_a_base_model_gets_one_text_to_continue() -> None:
    """Field names are those of the completions path."""
    sent = body(replace(REQUEST, schema=None, cache_salt=None), replace(CHAT, has_chat_template=False))
    assert sent == {
        "model": "m",
        "prompt": "You listen.\n\n[0] hello\nSummarise.\n\nAnswer:\n",
        "temperature": 0.3,
        "top_p": 1.0,
        "stream": False,
        "max_tokens": 64,
    }
    assert sent["prompt"] == plain_prompt(PROMPT)


def test_a_template_without_a_system_role_gets_one_user_message() -> None:
    """No part of the prompt is lost."""
    sent = prompt_body(PROMPT, replace(CHAT, has_system_role=False))
    assert sent["messages"] == [{"role": "user", "content": "You listen.\n\n[0] hello\nSummarise."}]


def test_a_stream_ends_with_its_usage() -> None:
    """Without it, the tokens of a streamed completion are unknown."""
    assert body(stream=True)["stream"] is True
    assert body(stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body()


@pytest.mark.parametrize("priority", [0, 1])
def test_a_priority_is_sent_where_it_is_used(priority: int) -> None:
    """Zero is a priority too."""
    assert body(priority=priority)["priority"] == priority
    assert "priority" not in body()


def test_a_cache_salt_separates_tenants_within_the_accepted_length() -> None:
    """Without one, the field is left out."""
    assert body(replace(REQUEST, cache_salt="t" * 2_000))["cache_salt"] == "t" * 1_024
    assert "cache_salt" not in body(replace(REQUEST, cache_salt=None))


def test_a_prompts_size_is_its_number_of_bytes() -> None:
    """It is an upper bound for any tokenizer."""
    assert Prompt("가", "나", "x").size_bytes == len("가나\nx".encode())
    assert REQUEST.lane is Lane.BULK


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (None, TokenCounts(requests=1)),
        (
            {"prompt_tokens": 5, "completion_tokens": 2},
            TokenCounts(prompt_tokens=5, completion_tokens=2, requests=1),
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": {"cached_tokens": 3}},
            TokenCounts(prompt_tokens=5, cached_tokens=3, requests=1),
        ),
        ({"prompt_tokens_details": None}, TokenCounts(requests=1)),
        ({"prompt_tokens_details": [3]}, TokenCounts(requests=1)),
    ],
)
def test_usage_is_counted_as_far_as_the_server_states_it(usage: object, counted: TokenCounts) -> None:
    """It counts as one request in any case."""
    assert read_usage(usage) == counted
