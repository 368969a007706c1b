"""What models that think say before their answer, where the server does not keep it apart."""

from collections.abc import Callable
from typing import Final

_START: Final = "<think>"
_END: Final = "</think>"
_JSON: Final = ("{", "[")
"""An answer in JSON begins with these, and what is within its strings ends no thoughts."""


def without_thoughts(text: str) -> str:
    """The answer after the thoughts that it begins with, if it does; nothing where they have no end.

    Templates such as DeepSeek-R1's open the thoughts themselves, so that the model only ends them.
    """
    begun = text.lstrip()
    thoughts, end, answer = begun.partition(_END)
    if begun.startswith(_START) or (end and _START not in thoughts and not begun.startswith(_JSON)):
        return answer.lstrip()
    return text


class Aloud:
    """Passes on a streamed answer, holding back what may be, or is, the thoughts before it.

    Thoughts that the model does not open are passed on, and taken back, by None, where they end.
    """

    def __init__(self, on_text: Callable[[str | None], None]) -> None:
        self._on_text = on_text
        self._held = ""
        self._is_thinking = self._is_speaking = self._may_be_thoughts = False

    def __call__(self, piece: str) -> None:
        """The next piece of the stream."""
        if self._is_speaking:
            self._speak(piece)
            return
        self._held += piece
        if not self._is_thinking:
            begun = self._held.lstrip()
            self._is_thinking = begun.startswith(_START)
            if not self._is_thinking and not _START.startswith(begun):
                self.end()
        if self._is_thinking and _END in self._held[-len(piece) - len(_END) :]:
            self.end()

    def end(self) -> None:
        """What is held is all there is. Safe to repeat."""
        if self._is_speaking:
            return
        answer, held, self._held = without_thoughts(self._held), self._held, ""
        self._is_speaking = True
        self._may_be_thoughts = answer == held and not held.lstrip().startswith(_JSON)
        self._speak(answer)

    def _speak(self, piece: str) -> None:
        if self._may_be_thoughts:
            # What was held is spoken, of which the end serves to find marks that lie in two pieces.
            self._held += piece
            thoughts, end, answer = self._held.partition(_END)
            self._may_be_thoughts = not end and _START not in thoughts
            self._held = self._held[1 - len(_END) :]
            if end and _START not in thoughts:
                self._on_text(None)
                piece = answer.lstrip()
        if piece:
            self._on_text(piece)
