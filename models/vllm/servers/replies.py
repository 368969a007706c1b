"""What a model said, read from choices that come whole or in parts: its text, how it ended, and why there is none.

vLLM 0.33 ends an answer with ``stop``, ``length``, ``abort`` or ``error``; gateways have words of their own. Only
``stop`` says that the answer is whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from models.vllm.servers.problems import ServerFailed
from models.vllm.servers.reasoning import without_thoughts
from schemas.events import TokenUsage

STOP: Final = "stop"
LENGTH: Final = "length"
FAILED: Final = frozenset({"abort", "error"})
"""The server gave up, not the model: what there is of the answer is worth nothing."""
MISSING: Final = "missing"
"""Stands for an ending that the server does not tell."""
ENDING_CHARACTERS: Final = 64
EXCERPT_CHARACTERS: Final = 200
_TEXT_PARTS: Final = frozenset({"text", "output_text"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``finish_reason`` is the server's word; ``cause`` says why, where there is no text."""

    text: str
    usage: TokenUsage
    finish_reason: str = STOP
    cause: str = ""

    @property
    def complete(self) -> bool:
        """Whether the model ended it by itself."""
        return self.finish_reason == STOP


@dataclass(slots=True)
class Reply:
    """Adds up the choices of one answer. A choice of another shape raises whatever reading it raises."""

    pieces: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    refusal: str = ""
    tools: list[str] = field(default_factory=list)
    has_reasoned: bool = False

    def add(self, choice: Mapping[str, Any]) -> str:
        """The text that a choice brings: a whole message, a part of a streamed one, or plain text."""
        ended = choice.get("finish_reason")
        if ended is not None:
            if not isinstance(ended, str):
                raise TypeError(f"a finish_reason that is no word: {ended!r}")
            self.finish_reason = ended[:ENDING_CHARACTERS]
        message = choice.get("message", choice.get("delta"))
        text = _text(choice.get("text") if message is None else message.get("content"))
        if message is not None:
            self._add_beside_text(message)
        self.pieces.append(text)
        return text

    def answer(self, usage: TokenUsage) -> Answer:
        """The whole answer. Raises ServerFailed when the server gave it up."""
        if self.finish_reason in FAILED:
            raise ServerFailed(f"the server gave the answer up (finish_reason {self.finish_reason})")
        whole = "".join(self.pieces)
        text = without_thoughts(whole)
        self.has_reasoned = self.has_reasoned or len(text) < len(whole.strip())
        cause = "" if text.strip() else self._cause()
        return Answer(text, usage, self.finish_reason or MISSING, cause)

    def _add_beside_text(self, message: Mapping[str, Any]) -> None:
        self.refusal += _refused(message)
        calls = [*(message.get("tool_calls") or ()), *filter(None, [message.get("function_call")])]
        self.tools += [str((call.get("function") or call).get("name") or "") for call in calls]
        self.has_reasoned = self.has_reasoned or bool(message.get("reasoning") or message.get("reasoning_content"))

    def _cause(self) -> str:
        if self.refusal:
            return f"the model refused: {self.refusal[:EXCERPT_CHARACTERS]}"
        if self.tools or self.finish_reason == "tool_calls":
            named = ", ".join(filter(None, self.tools))[:EXCERPT_CHARACTERS] or "a tool"
            return f"the model called {named} instead of answering: serve it without --enable-auto-tool-choice"
        if self.has_reasoned and self.finish_reason == LENGTH:
            return "reasoning used up the tokens: raise max_completion_tokens, or turn the model's reasoning off"
        if self.has_reasoned:
            return "the model reasoned and did not answer"
        if self.finish_reason == LENGTH:
            return "the token limit came before any text"
        return f"the server sent no text (finish_reason {self.finish_reason or MISSING})"


def _text(content: Any) -> str:
    """Content as text: a string, a list of parts, or nothing. Anything else raises TypeError."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, Sequence):
        raise TypeError(f"content that is no text: {content!r}")
    return "".join(_part(part) for part in content)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    text = part["text"] if part.get("type", "text") in _TEXT_PARTS else ""
    if not isinstance(text, str):
        raise TypeError(f"a part that is no text: {text!r}")
    return text


def _refused(message: Mapping[str, Any]) -> str:
    """A refusal beside the content, or in parts of it."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    refusals = [message.get("refusal"), *(part.get("refusal") for part in parts if isinstance(part, dict))]
    return "".join(str(refusal) for refusal in refusals if refusal)
