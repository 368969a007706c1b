"""Completions read from response bodies, whole or streamed. No I/O.

vLLM 0.33 ends a completion with ``stop``, ``length``, ``abort`` or ``error``; gateways use words of their own.
Only ``stop`` means that the completion is whole.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from models.vllm.servers.completion import Completion, TokenCounts
from models.vllm.servers.problems import ServerFailed
from models.vllm.servers.reasoning import without_reasoning

LENGTH: Final = "length"
FAILED: Final = frozenset({"abort", "error"})
"""Finish reasons with which the server, not the model, ends a completion: its text is worthless."""
MISSING: Final = "missing"
"""Stands for a finish reason that the server does not send."""
FINISH_REASON_CHARACTERS: Final = 64
EXCERPT_CHARACTERS: Final = 200
SHAPE_EXCERPT_CHARACTERS: Final = 300
_TEXT_PARTS: Final = frozenset({"text", "output_text"})


@dataclass(slots=True)
class CompletionBuilder:
    """Adds up the choices of one completion. Call ``add`` within ``expect_shape``."""

    pieces: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    refusal: str = ""
    tools: list[str] = field(default_factory=list)
    has_reasoning: bool = False

    def add(self, choice: Mapping[str, Any]) -> str:
        """Add a choice (a whole message, a streamed delta, or plain text) and return its text."""
        finish_reason = choice.get("finish_reason")
        if finish_reason is not None:
            if not isinstance(finish_reason, str):
                raise TypeError(f"a finish_reason that is no word: {finish_reason!r}")
            self.finish_reason = finish_reason[:FINISH_REASON_CHARACTERS]
        message = choice.get("message", choice.get("delta"))
        text = _text(choice.get("text") if message is None else message.get("content"))
        if message is not None:
            self._add_beside_text(message)
        self.pieces.append(text)
        return text

    def build(self, usage: TokenCounts) -> Completion:
        """Return the whole completion. Raises ServerFailed when the server aborted it."""
        if self.finish_reason in FAILED:
            raise ServerFailed(f"the server gave the answer up (finish_reason {self.finish_reason})")
        whole = "".join(self.pieces)
        text = without_reasoning(whole)
        self.has_reasoning = self.has_reasoning or len(text) < len(whole.strip())
        empty_reason = "" if text.strip() else self._empty_reason()
        return Completion(text, usage, self.finish_reason or MISSING, empty_reason)

    def _add_beside_text(self, message: Mapping[str, Any]) -> None:
        self.refusal += _refusal(message)
        calls = [*(message.get("tool_calls") or ()), *filter(None, [message.get("function_call")])]
        self.tools += [str((call.get("function") or call).get("name") or "") for call in calls]
        reasoning = message.get("reasoning") or message.get("reasoning_content")
        self.has_reasoning = self.has_reasoning or bool(reasoning)

    def _empty_reason(self) -> str:
        if self.refusal:
            return f"the model refused: {self.refusal[:EXCERPT_CHARACTERS]}"
        if self.tools or self.finish_reason == "tool_calls":
            named = ", ".join(filter(None, self.tools))[:EXCERPT_CHARACTERS] or "a tool"
            return f"the model called {named} instead of answering: serve it without --enable-auto-tool-choice"
        if self.has_reasoning and self.finish_reason == LENGTH:
            return "reasoning used up the tokens: raise max_completion_tokens, or turn the model's reasoning off"
        if self.has_reasoning:
            return "the model reasoned and did not answer"
        if self.finish_reason == LENGTH:
            return "the token limit came before any text"
        return f"the server sent no text (finish_reason {self.finish_reason or MISSING})"


def read_completion(payload: Any) -> Completion:
    """Read a whole completion. Raises ServerFailed for another shape, and when the server aborted it."""
    with expect_shape("an answer of another shape", payload):
        choice, builder = payload["choices"][0], CompletionBuilder()
        if "message" not in choice and "text" not in choice:
            raise KeyError("message")
        builder.add(choice)
        usage = read_usage(payload.get("usage"))
    return builder.build(usage)


def read_delta(payload: Any, builder: CompletionBuilder) -> tuple[str, TokenCounts | None]:
    """Add one event of a stream to ``builder``. Return its text, and the usage, which the last event carries.

    Raises ServerFailed when the payload has another shape.
    """
    with expect_shape("a stream of another shape", payload):
        text = "".join([builder.add(choice) for choice in payload.get("choices") or ()])
        return text, read_usage(payload["usage"]) if payload.get("usage") else None


def read_usage(usage: Any) -> TokenCounts:
    """Read the token counts of one request; zeros where the server sends none. Call it within ``expect_shape``."""
    if not isinstance(usage, dict):
        return TokenCounts(requests=1)
    details = usage.get("prompt_tokens_details") or {}
    return TokenCounts(
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        cached_tokens=int(details.get("cached_tokens") or 0) if isinstance(details, dict) else 0,
        completion_tokens=int(usage.get("completion_tokens") or 0),
        requests=1,
    )


def read_json(raw: bytes) -> object:
    """Parse a body. Raises ServerFailed for what is not JSON, such as a body that was cut off."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as garbage:
        raise ServerFailed(f"an answer that is not JSON: {raw[:80]!r}") from garbage


@contextmanager
def expect_shape(what: str, payload: object) -> Iterator[None]:
    """Translate whatever reading a payload of an unexpected shape raises into ServerFailed."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as unexpected:
        raise ServerFailed(f"{what}: {str(payload)[:SHAPE_EXCERPT_CHARACTERS]}") from unexpected


def _text(content: Any) -> str:
    """Return content as text: a string, a list of parts, or nothing. Raises TypeError for anything else."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, Sequence):
        raise TypeError(f"content that is no text: {content!r}")
    return "".join(_part_text(part) for part in content)


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    text = part["text"] if part.get("type", "text") in _TEXT_PARTS else ""
    if not isinstance(text, str):
        raise TypeError(f"a part that is no text: {text!r}")
    return text


def _refusal(message: Mapping[str, Any]) -> str:
    """Return the refusals beside the content and in its parts."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    refusals = [message.get("refusal"), *(part.get("refusal") for part in parts if isinstance(part, dict))]
    return "".join(str(refusal) for refusal in refusals if refusal)
