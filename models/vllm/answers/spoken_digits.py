"""The words and characters of single digits that are read aloud, as in a telephone number."""

from typing import Final

ENGLISH: Final = "(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
"""A pattern of one digit."""
KOREAN: Final = "[공영일이삼사오육륙칠팔구]"
CHINESE: Final = "[零〇一二三四五六七八九幺两]"
"""Patterns of one digit; other words contain these characters, so only several in a row are digits."""
