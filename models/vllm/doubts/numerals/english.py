"""English numbers: digits with their magnitudes, and words."""

import re
from collections.abc import Iterator
from typing import Final

from models.vllm.doubts.numerals.values import NumberRun, as_value, digits_of

_ONES: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS: Final = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
]
_SMALL: Final[dict[str, int]] = {
    **{word: number for number, word in enumerate(_ONES)},
    **{word: 20 + 10 * at for at, word in enumerate(_TENS)},
    "oh": 0,
}
ORDINALS: Final[dict[str, int]] = {
    **{word: number for number, word in enumerate(_ORDINALS, 1)},
    "twentieth": 20,
    "thirtieth": 30,
}
"""Ordinal words, the simple ones, by value."""
_LARGE: Final[dict[str, int]] = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "grand": 10**3,
    "k": 10**3, "mn": 10**6, "bn": 10**9, "dozen": 12,
}  # fmt: skip
_LOOSE: Final[dict[str, tuple[float, ...]]] = {
    "half": (0.5, 50, 30), "quarter": (0.25, 25, 15), "quarters": (0.75, 75, 45), "couple": (2,), "pair": (2,),
    "both": (2,), "twice": (2,), "double": (2,), "doubled": (2,), "doubles": (2,), "triple": (3,), "tripled": (3,),
    "once": (1,), "dozen": (12,), "noon": (12,), "midnight": (12, 0), "fortnight": (14, 2), "decade": (10,),
    "weekly": (7,), "twins": (2,), "thirds": (3,), "fifths": (5,), "hundreds": (100,), "thousands": (1000,),
    **{word: (float(value),) for word, value in ORDINALS.items()},
    **{
        f"{tens}-{word}": (float(_SMALL[tens] + at),)
        for tens in _TENS for at, word in enumerate(_ORDINALS[:9], 1)
    },
}  # fmt: skip
"""Words that bear a number out, and by themselves state none."""

_NUMBER: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_WORDS: Final = "|".join(sorted([*_SMALL, *(word for word in _LARGE if len(word) > 2), "point"], key=len)[::-1])
_RUN: Final = re.compile(
    rf"(?<![\d.])(?:{_NUMBER}|\b(?:{_WORDS})\b)"
    rf"(?:(?:\s?-\s?|\s+(?:and\s+)?(?:a\s+)?|(?<=\d))(?:{_NUMBER}|(?<![A-Za-z])(?:{_WORDS}|k|mn|bn)\b))*"
    r"(?:st|nd|rd|th)?"
)
_PIECE: Final = re.compile(rf"{_NUMBER}|[a-z]+")
_WORD: Final = re.compile(r"[a-z]+(?:-[a-z]+)?")
_HALF_OF: Final = re.compile(r"half a (million|billion|thousand|dozen|hundred)\b")
_BEFORE_HALF: Final = re.compile(rf"\b({_NUMBER}|{_WORDS}|an hour|a year|a)\b[\w\s]{{0,12}}?$")
_CURRENCY: Final = re.compile(r" (?:dollars?|euros?|pounds?|bucks) (?:and )?")
_WHOLE: Final = re.compile(rf"\b(?:{_NUMBER}|(?:{_WORDS})(?:[\s-](?:{_WORDS}))*)$")
_CENTS: Final = re.compile(rf"(?:\d\d|(?:{_WORDS})(?:[\s-](?:{_WORDS}))?)\b")
_BEFORE_CHARACTERS: Final = 40
"""Text before ``and a half`` or a currency in which its number is looked for."""
_UNSURE: Final = frozenset({"one", "oh", "point", "second", "grand"})


def english_numbers(text: str) -> Iterator[NumberRun]:
    """Yield the numbers of folded text: cardinal words and digits of any language."""
    lower = text.lower()
    text = text if len(lower) == len(text) else lower
    for match in _RUN.finditer(lower):
        pieces = _PIECE.findall(match.group())
        values, parts = _read(pieces)
        if values:
            is_certain = any(piece not in _UNSURE for piece in pieces)
            digits = _spelled(pieces) or digits_of(values)
            yield NumberRun(
                tuple(values), digits, text[slice(*match.span())], match.start(), is_certain, tuple(parts)
            )


def loose_english_numbers(text: str) -> Iterator[float]:
    """Yield the values of words that bear a number out, such as ``half`` for 50 %."""
    lower = text.lower()
    for word in {*_WORD.findall(lower)} & _LOOSE.keys():
        yield from _LOOSE[word]
    for match in _HALF_OF.finditer(lower):
        yield as_value(_LARGE[match.group(1)] / 2)
    for match in re.finditer(" and a half", lower):
        if found := _BEFORE_HALF.search(lower, max(match.start() - _BEFORE_CHARACTERS, 0), match.start()):
            word = found.group(1)
            whole = float(word.replace(",", "")) if word[0].isdigit() else _SMALL.get(word, 1)
            yield from (whole + 0.5, 60 * (whole + 0.5), 12 * (whole + 0.5))
    for match in _CURRENCY.finditer(lower):
        units = _WHOLE.search(lower, max(match.start() - _BEFORE_CHARACTERS, 0), match.start())
        cents = _CENTS.match(lower, match.end())
        if units and cents:
            yield from _with_cents(units.group(), cents.group())


def _with_cents(whole: str, cents: str) -> Iterator[float]:
    """Yield an amount with one number on either side of the currency."""
    (units, _), (parts, _) = _read(_PIECE.findall(whole)), _read(_PIECE.findall(cents))
    if len(units) == len(parts) == 1 and parts[0] < 100:
        yield as_value(units[0] + parts[0] / 100)


def _spelled(pieces: list[str]) -> str:
    """Return digits as they are written, leading zeros included; empty where a magnitude changes them."""
    return "".join(pieces) if all(piece.isdigit() for piece in pieces) else ""


def _read(pieces: list[str]) -> tuple[list[float], list[float]]:
    """Return the numbers of a run, and their parts where magnitudes multiply them."""
    reader = _Reader()
    for piece in pieces:
        reader.read(piece)
    reader.finish()
    return reader.values, reader.parts


class _Reader:
    """Reads words of a run from left to right: a word that cannot continue a number begins the next one."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.parts: list[float] = []
        self._total = 0.0
        self._current: float | None = None
        self._room = 0.0
        """A following word below this continues the number."""
        self._scale = 0.0
        """Decimal place of the next digit word after ``point``; 0 outside of decimals."""

    def read(self, piece: str) -> None:
        """Take the next word."""
        if piece == "point":
            self._scale = 0.1 if self._current is not None else 0.0
        elif piece[0].isdigit() or piece in _SMALL:
            value = float(piece.replace(",", "")) if piece[0].isdigit() else float(_SMALL[piece])
            self._add(value)
        elif piece in _LARGE:
            self._multiply(_LARGE[piece])

    def finish(self) -> None:
        """End the number that is being read."""
        if self._current is not None or self._total:
            self.values.append(as_value(self._total + (self._current or 0.0)))
        self._total, self._current, self._room, self._scale = 0.0, None, 0.0, 0.0

    def _add(self, value: float) -> None:
        if self._scale and value < 10:
            self._current = (self._current or 0.0) + value * self._scale
            self._scale /= 10
            return
        if (self._current is not None and not 0 < value < self._room) or (
            self._current is None and self._total and value >= self._room
        ):
            self.finish()
        self._current = (self._current or 0.0) + value
        self._room = 10 if value in range(20, 100, 10) else 0

    def _multiply(self, magnitude: int) -> None:
        base = 1.0 if self._current is None else self._current
        self._scale = 0.0
        if magnitude <= 100:
            self._current, self._room = base * magnitude, magnitude
        else:
            self.parts.append(base)
            self._total += base * magnitude
            self._current, self._room = None, magnitude
