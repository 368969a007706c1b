"""Joining of consecutive texts, with spaces where the adjacent scripts use them. Pure."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

_SPACELESS: Final = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x312F),  # radicals, punctuation, kana, Bopomofo
    (0x31A0, 0x9FFF),  # more kana and Bopomofo, Chinese characters
    (0xF900, 0xFAFF),
    (0xFF00, 0xFFEF),  # full and half width
    (0x20000, 0x3FFFF),
)
"""First and last code point of scripts that put no space between words."""
_PUNCTUATION: Final = frozenset("、。〃〈〉《》「」『』【】〔〕〖〗〘〙〚〛〜・，．：；？！（）［］｛｝～…")
"""Punctuation that includes its own space, whatever the adjacent script."""
_FIRSTS: Final = tuple(first for first, _ in _SPACELESS)


def join_texts(texts: Iterable[str]) -> str:
    """Join texts without the spaces around them.

    The characters at each joint decide on a space, not the language: Latin words within Chinese keep their space,
    and so does English next to it.
    """
    whole: list[str] = []
    last = ""
    for text in filter(None, (text.strip() for text in texts)):
        if last and needs_space(last, text[0]):
            whole.append(" ")
        whole.append(text)
        last = text[-1]
    return "".join(whole)


def needs_space(before: str, after: str) -> bool:
    """Return whether a space separates two texts, by the characters at the joint."""
    if before in _PUNCTUATION or after in _PUNCTUATION:
        return False
    return not (is_spaceless(before) and is_spaceless(after))


def is_spaceless(character: str) -> bool:
    """Return whether a character belongs to a script that puts no space between words."""
    place = bisect_right(_FIRSTS, ord(character)) - 1
    return place >= 0 and ord(character) <= _SPACELESS[place][1]
