"""Properties of characters: their width on the screen, and where a line may break between them. Pure."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from schemas.transcripts.joining import is_spaceless

_CONTROLS: Final = re.compile(r"[\0-\x08\x0e-\x1b\x7f]")
"""Control characters to remove: invisible, and NUL is invalid in WebVTT. White space stays to separate words."""

CLOSING: Final = frozenset(
    "、。，．！？；：）」』】〉》”’,.!?;:)]}%…»・ーゝゞ々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ％〕〗〙"
)
"""Characters with which no line begins: closing marks; in Japanese also small kana and repetition marks."""

OPENING: Final = frozenset("（「『【〈《“‘([{«¿¡〔〖〘$€£¥＄￥#")
"""Characters with which no line ends."""

_JOINERS: Final = frozenset("\u200c\u200d\ufe0e\ufe0f")
_CACHED_CHARACTERS: Final = 4_096


def strip_controls(text: str) -> str:
    """Remove control characters, which are invisible and may stop a player."""
    return _CONTROLS.sub("", text)


@lru_cache(_CACHED_CHARACTERS)
def is_wide(character: str) -> bool:
    """Return whether a character takes two cells: those of Chinese, Japanese and Korean, and some symbols."""
    return unicodedata.east_asian_width(character) in "WF"


@lru_cache(_CACHED_CHARACTERS)
def extends_previous(character: str) -> bool:
    """Return whether a character is part of the one before it: accents, joiners, variation selectors."""
    return unicodedata.combining(character) > 0 or character in _JOINERS


def cell_width(text: str) -> int:
    """Return the number of cells that a text takes on a fixed-width screen."""
    return len(text) + sum(map(is_wide, text)) - sum(unicodedata.combining(character) > 0 for character in text)


def may_break(before: str, after: str) -> bool:
    """Return whether a line may end after ``before`` and the next begin with ``after``, white space included."""
    if after[:1].isspace():
        # French writes a space before some closing marks.
        return not all(character in CLOSING for character in after.strip())
    if after[0] in CLOSING or before[-1] in OPENING or extends_previous(after[0]):
        return False
    return is_spaceless(before[-1]) or is_spaceless(after[0])


def split_at_width(text: str, cells: int) -> list[str]:
    """Cut a text into parts of at most ``cells``, never before an accent or joiner."""
    parts: list[str] = []
    width = 0
    for character in text:
        own = cell_width(character)
        if parts and (width + own <= cells or extends_previous(character)):
            parts[-1] += character
            width += own
        else:
            parts.append(character)
            width = own
    return parts
