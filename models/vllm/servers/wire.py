"""The API's requests and answers as values: bodies to send, answers and problems read. No I/O.

Read from vLLM 0.33: ``response_format`` is honoured where ``guided_json`` is ignored without a word;
``max_completion_tokens`` beyond the context is clamped without a word, so ``finish_reason`` must be looked at.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from models.vllm.servers.problems import (
    AccessRefused,
    ContextExceeded,
    Overloaded,
    Rejected,
    ServerFailed,
    ServerProblem,
)
from models.vllm.servers.replies import Answer, Reply
from schemas.events import TokenUsage
from schemas.options import Lane

CHAT_PATH = "/v1/chat/completions"
COMPLETIONS_PATH = "/v1/completions"
INPUT_PARAMETERS = frozenset({"input_tokens", "input_text"})
RETRY_AFTER_LIMIT_SECONDS = 60.0
CACHE_SALT_CHARACTERS = 1_024
_EXCERPT_CHARACTERS = 300
_CONTEXT = re.compile(r"maximum context length is (\d{1,9})", re.IGNORECASE)
_NO_TEMPLATE = re.compile(r"(no|provide a) chat.template|chat.template is (not set|no longer)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Three parts in this order, so that the tasks of one transcript share the longest prefix."""

    system: str
    material: str
    task: str

    @property
    def user(self) -> str:
        """What follows the system part."""
        return f"{self.material}\n{self.task}"

    @property
    def size_bytes(self) -> int:
        """UTF-8 bytes of all parts; no tokenizer makes more tokens of them than that."""
        return len(self.system.encode()) + len(self.user.encode())


@dataclass(frozen=True, slots=True)
class Ask:
    """One question. ``schema`` None asks for free text. ``request_id`` names it in the server's log."""

    prompt: Prompt
    max_completion_tokens: int
    temperature: float
    request_id: str
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    lane: Lane = Lane.BULK
    salt: str | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """What a server serves. ``has_chat`` is false for a base model without a chat template, ``takes_system`` for a
    template that knows users and assistants alone."""

    model: str
    context_tokens: int
    has_chat: bool = True
    takes_system: bool = True
    counts_tokens: bool = True


def request_body(ask: Ask, served: Served, *, stream: bool, priority: int | None) -> dict[str, Any]:
    """The JSON body for the path that ``served`` wants: chat, or completions for base models."""
    body = prompt_body(ask.prompt, served) | {"temperature": ask.temperature, "top_p": 1.0, "stream": stream}
    body["max_completion_tokens" if served.has_chat else "max_tokens"] = ask.max_completion_tokens
    if ask.schema is not None:
        named = {"name": ask.schema_name, "schema": dict(ask.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    if stream:
        body["stream_options"] = {"include_usage": True}
    if ask.salt:
        body["cache_salt"] = ask.salt[:CACHE_SALT_CHARACTERS]
    if priority is not None:
        body["priority"] = priority
    return body


def prompt_body(prompt: Prompt, served: Served) -> dict[str, Any]:
    """The fields that hold the prompt, to be answered or counted.

    Templates of models that can be told not to think are told so, others ignore it.
    """
    if not served.has_chat:
        return {"model": served.model, "prompt": plain_prompt(prompt)}
    return {
        "model": served.model,
        "messages": messages(prompt, served),
        "chat_template_kwargs": {"enable_thinking": False},
    }


def messages(prompt: Prompt, served: Served) -> list[dict[str, str]]:
    """The prompt for a chat template."""
    if not served.takes_system:
        return [{"role": "user", "content": f"{prompt.system}\n\n{prompt.user}"}]
    return [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]


def plain_prompt(prompt: Prompt) -> str:
    """The prompt for a model that only continues text."""
    return f"{prompt.system}\n\n{prompt.user}\n\nAnswer:\n"


def read_answer(payload: Any) -> Answer:
    """The answer in a complete response. Raises ServerFailed when it has no such shape, or was given up."""
    with understood("an answer of another shape", payload):
        choice, reply = payload["choices"][0], Reply()
        if "message" not in choice and "text" not in choice:
            raise KeyError("message")
        reply.add(choice)
        usage = read_usage(payload.get("usage"))
    return reply.answer(usage)


def read_chunk(payload: Any, reply: Reply) -> tuple[str, TokenUsage | None]:
    """Adds a part of a streamed answer to ``reply``: its text, and the usage, which comes with the last one.

    Raises ServerFailed when it has no such shape.
    """
    with understood("a stream of another shape", payload):
        text = "".join([reply.add(choice) for choice in payload.get("choices") or ()])
        return text, read_usage(payload["usage"]) if payload.get("usage") else None


@contextmanager
def understood(what: str, payload: object) -> Iterator[None]:
    """Reading a response of another shape than it should have is a failure of the server, whatever it raises."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as unexpected:
        raise ServerFailed(f"{what}: {_excerpt(payload)}") from unexpected


def read_usage(usage: Any) -> TokenUsage:
    """Token counts of one request; zeros where the server does not say. To be called where shapes are checked."""
    if not isinstance(usage, dict):
        return TokenUsage(requests=1)
    details = usage.get("prompt_tokens_details") or {}
    return TokenUsage(
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        cached_tokens=int(details.get("cached_tokens") or 0) if isinstance(details, dict) else 0,
        completion_tokens=int(usage.get("completion_tokens") or 0),
        requests=1,
    )


def read_json(raw: bytes) -> object:
    """A response's body. Raises ServerFailed for what is not JSON, as when a connection was cut."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as garbage:
        raise ServerFailed(f"an answer that is not JSON: {raw[:80]!r}") from garbage


def problem_of(status: int, raw: bytes, *, retry_after: str | None = None) -> ServerProblem:
    """What a status other than 200 means. ``error`` is an object, or a plain string with 401."""
    error = _error_in(raw)
    message = f"HTTP {status}: {_excerpt(error.get('message') or error.get('detail') or raw)}"
    if status in (429, 503):
        return Overloaded(message, _seconds(retry_after))
    if status == 400 and (error.get("param") in INPUT_PARAMETERS or _CONTEXT.search(message)):
        told = _CONTEXT.search(message)
        return ContextExceeded(message, int(told[1]) if told else None)
    if status in (401, 403, 404, 405, 407, 501):
        return AccessRefused(message)
    if 400 <= status < 500 and status not in (408, 409, 425):
        return Rejected(message)
    return ServerFailed(message)


def says_no_template(refusal: Rejected) -> bool:
    """Whether messages were refused because the model has no chat template, and not because of what is in them."""
    return _NO_TEMPLATE.search(str(refusal)) is not None


def problem_in_stream(payload: object) -> ServerProblem | None:
    """After a stream began, errors come as data."""
    error = payload.get("error") if isinstance(payload, dict) else None
    if not error:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    return problem_of(code if isinstance(code, int) else 500, json.dumps(payload).encode())


def _error_in(raw: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(payload, dict):
        return {}
    error = payload.get("error", payload)
    return error if isinstance(error, dict) else {"message": str(error)}


def _seconds(retry_after: str | None) -> float | None:
    try:
        return min(max(float(retry_after or ""), 0.0), RETRY_AFTER_LIMIT_SECONDS)
    except ValueError:
        return None


def _excerpt(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text[:_EXCERPT_CHARACTERS]
