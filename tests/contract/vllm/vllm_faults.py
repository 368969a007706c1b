"""Faults of single requests to the double, and the messages that they produce."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

PIECE_CHARACTERS: Final = 8


class Fault(StrEnum):
    """A fault of one request. ``NONE`` is none."""

    NONE = "none"
    BUSY = "503"
    ERROR = "500"
    REFUSED = "400"
    GARBAGE = "garbage"
    NONSENSE = "a choice that is none"
    NONSENSE_USAGE = "usage without numbers"
    ENDLESS = "an answer without end"
    CUT_OFF_JSON = "cut-off JSON"
    CONTROL_CHARACTERS = "control characters"
    WRONG_SHAPE = "wrong shape"
    HANG = "hang"
    DISCONNECT = "disconnect"
    CUT_CONNECTION = "cut connection"
    TOO_LONG = "400 input_tokens"
    ABORTED = "finish_reason abort"
    FAILED = "finish_reason error"
    ENDED_ODDLY = "finish_reason content_filter"
    REFUSAL = "a refusal"
    TOOL_CALL = "a tool call"
    REASONING = "reasoning without an answer"
    PARTS = "content in parts"


ENDINGS: Final = {
    Fault.ABORTED: "abort",
    Fault.FAILED: "error",
    Fault.ENDED_ODDLY: "content_filter",
    Fault.REFUSAL: "stop",
    Fault.TOOL_CALL: "tool_calls",
    Fault.REASONING: "length",
}
"""Finish reasons of faults, whatever the length of the completion."""

_CALL: Final = {"id": "call-1", "type": "function", "function": {"name": "look_it_up", "arguments": "{}"}}
_INSTEAD: Final[dict[Fault, dict[str, Any]]] = {
    Fault.REFUSAL: {"refusal": "I cannot help with that."},
    Fault.TOOL_CALL: {"tool_calls": [_CALL]},
    Fault.REASONING: {"reasoning": "First I should think about it."},
}
"""Fields beside content that is null."""


def message(text: str, fault: Fault) -> dict[str, Any]:
    """Return the assistant's whole message."""
    if fault in _INSTEAD:
        return {"role": "assistant", "content": None, **_INSTEAD[fault]}
    return {"role": "assistant", "content": _parts(text) if fault is Fault.PARTS else text}


def deltas(text: str, fault: Fault) -> Iterator[dict[str, Any]]:
    """Yield the same message as streamed deltas."""
    yield {"role": "assistant", "content": ""}
    if fault in _INSTEAD:
        yield _INSTEAD[fault]
        return
    for first in range(0, len(text), PIECE_CHARACTERS):
        piece = text[first : first + PIECE_CHARACTERS]
        yield {"content": _parts(piece) if fault is Fault.PARTS else piece}


def _parts(text: str) -> list[dict[str, str]]:
    middle = len(text) // 2
    return [{"type": "text", "text": half} for half in (text[:middle], text[middle:])]
