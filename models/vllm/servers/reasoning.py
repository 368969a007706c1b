"""Reasoning that a model writes before its answer, where the server does not separate it."""

from collections.abc import Callable
from typing import Final

_START: Final = "<think>"
_END: Final = "</think>"
_JSON: Final = ("{", "[")
"""How an answer in JSON begins. A closing tag within its strings ends no reasoning."""


def without_reasoning(text: str) -> str:
    """Return the answer after the reasoning with which the text begins, if any; nothing if that has no end.

    Templates such as DeepSeek-R1's write the opening tag themselves, so the model writes only the closing one.
    """
    begun = text.lstrip()
    reasoning, end, answer = begun.partition(_END)
    if begun.startswith(_START) or (end and _START not in reasoning and not begun.startswith(_JSON)):
        return answer.lstrip()
    return text


class ReasoningFilter:
    """Passes a streamed answer on and holds back what is, or may be, the reasoning before it.

    Reasoning without an opening tag is passed on, and discarded with None when its closing tag arrives.
    """

    def __init__(self, on_text: Callable[[str | None], None]) -> None:
        self._on_text = on_text
        self._held = ""
        self._is_reasoning = self._is_passing = self._may_be_reasoning = False

    def add(self, piece: str) -> None:
        """Process the next piece of the stream."""
        if self._is_passing:
            self._pass_on(piece)
            return
        self._held += piece
        if not self._is_reasoning:
            begun = self._held.lstrip()
            self._is_reasoning = begun.startswith(_START)
            if not self._is_reasoning and not _START.startswith(begun):
                self.end()
        if self._is_reasoning and _END in self._held[-len(piece) - len(_END) :]:
            self.end()

    def end(self) -> None:
        """Pass on the answer in the held pieces; later pieces are passed on as they arrive. Safe to repeat."""
        if self._is_passing:
            return
        answer, held, self._held = without_reasoning(self._held), self._held, ""
        self._is_passing = True
        self._may_be_reasoning = answer == held and not held.lstrip().startswith(_JSON)
        self._pass_on(answer)

    def _pass_on(self, piece: str) -> None:
        if self._may_be_reasoning:
            # What is held was passed on already. Its end is kept, to find tags that lie across two pieces.
            self._held += piece
            reasoning, end, answer = self._held.partition(_END)
            self._may_be_reasoning = not end and _START not in reasoning
            self._held = self._held[1 - len(_END) :]
            if end and _START not in reasoning:
                self._on_text(None)
                piece = answer.lstrip()
        if piece:
            self._on_text(piece)
