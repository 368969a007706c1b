"""Values of the completion API: the prompt, the request, the served model, and the completion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.options import Lane

STOP: Final = "stop"

OnText = Callable[[str | None], None]
"""Receives each piece of a completion as it arrives. None discards all pieces so far: the completion restarts."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Three parts in this order, so that the tasks of one transcript share the longest prefix."""

    system: str
    material: str
    task: str

    @property
    def user(self) -> str:
        """Everything after the system part."""
        return f"{self.material}\n{self.task}"

    @property
    def size_bytes(self) -> int:
        """UTF-8 bytes of all parts: an upper bound of the tokens that any tokenizer makes of them."""
        return len(self.system.encode()) + len(self.user.encode())


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One request. ``schema`` None requests free text. ``request_id`` identifies it in the server's log."""

    prompt: Prompt
    max_completion_tokens: int
    temperature: float
    request_id: str
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    lane: Lane = Lane.BULK
    cache_salt: str | None = None
    frequency_penalty: float = 0.0


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model of one server. ``has_chat_template`` is false for base models; ``has_system_role`` is false for
    templates that know only users and assistants."""

    name: str
    context_tokens: int
    has_chat_template: bool = True
    has_system_role: bool = True
    can_count_tokens: bool = True


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of a number of requests, as servers count them. ``cached_tokens`` are among ``prompt_tokens``."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    requests: int = 0

    def __add__(self, other: "TokenCounts") -> "TokenCounts":
        return TokenCounts(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.requests + other.requests,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """The model's text. ``finish_reason`` is the server's word; ``empty_reason`` says why there is no text."""

    text: str
    usage: TokenCounts
    finish_reason: str = STOP
    empty_reason: str = ""

    @property
    def is_complete(self) -> bool:
        """True when the model itself ended the text."""
        return self.finish_reason == STOP
