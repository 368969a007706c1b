"""Spoken orders: segments shaped like an order to the language model instead of to a listener."""

import re
from typing import Final

from models.vllm.doubts.word_lists import lines, word_list
from models.vllm.doubts.words import has_characters

_LINES: Final = lines("orders")
_ENGLISH: Final = re.compile("|".join(line for line in _LINES if not has_characters(line)))
_CHARACTERS: Final = re.compile("|".join(line for line in _LINES if has_characters(line)))
_HINTS: Final = word_list("order_hints")
_WORD: Final = re.compile(r"\w+")
_MARKS: Final = re.compile(r"<\||\[/?inst\]|<<sys|</s>|====")


def spoken_order(text: str) -> str | None:
    """Return the words of a folded segment that are shaped like an order to the model, else None."""
    lower = text.lower()
    pattern = _CHARACTERS if has_characters(lower) else _ENGLISH
    if pattern is _ENGLISH and _HINTS.isdisjoint(_WORD.findall(lower)) and not _MARKS.search(lower):
        return None
    match = pattern.search(lower) or (_MARKS.search(lower) if pattern is _CHARACTERS else None)
    return text[slice(*match.span())] if match else None
