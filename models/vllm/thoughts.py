"""What models that think say before their answer, where the server does not keep it apart."""

import re
from collections.abc import Callable
from typing import Final

_START: Final = "<think>"
_END: Final = "</think>"
_THOUGHTS: Final = re.compile(rf"\A\s*{_START}.*?(?:{_END}\s*|\Z)", re.DOTALL)


def without_thoughts(text: str) -> str:
    """The answer after the thoughts that it begins with, if it does; nothing where they have no end."""
    return _THOUGHTS.sub("", text, count=1)


class Aloud:
    """Passes on a streamed answer, holding back what may be, or is, the thoughts before it."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        self._on_text = on_text
        self._held = ""
        self._is_thinking = self._is_speaking = False

    def __call__(self, piece: str) -> None:
        """The next piece of the stream."""
        if self._is_speaking:
            self._on_text(piece)
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
        answer, self._held, self._is_speaking = without_thoughts(self._held), "", True
        if answer:
            self._on_text(answer)
