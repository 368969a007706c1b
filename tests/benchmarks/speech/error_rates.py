"""Error rates of transcripts: words, or characters where a language is written or counted without spaces."""

import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

BY_CHARACTER: Final = frozenset({"ko", "ja", "zh", "yue"})
"""Languages whose writers set spaces differently, or none: their errors are counted in characters."""

ENGLISH_NUMBERS: Final = {
    str(number): word
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905 - reads well
    )
}
"""Numbers that some texts spell and others do not: the difference is no error."""

ENGLISH_SPELLINGS: Final = {"alright": ("all", "right")}
"""Words that are written in two ways."""
DIGITS_IN_A_ROW: Final = 4
_DIGIT_WORDS: Final = frozenset(ENGLISH_NUMBERS[str(digit)] for digit in range(10))

_APOSTROPHES: Final = "'’ʼ"


@dataclass(frozen=True, slots=True)
class Errors:
    """Insertions, deletions and substitutions together, and the units (words or characters) of the reference."""

    count: int = 0
    units: int = 0

    def __add__(self, other: "Errors") -> "Errors":
        """Add up the errors of two clips."""
        return Errors(self.count + other.count, self.units + other.units)

    @property
    def percent(self) -> float:
        """Errors per hundred units of the reference; 0 without a reference."""
        return 100 * self.count / self.units if self.units else 0.0


def count_errors(reference: str, text: str, language: str) -> Errors:
    """Count the fewest insertions, deletions and substitutions that turn the reference into the text."""
    expected = units_of(reference, language)
    return Errors(_distance(expected, units_of(text, language)), len(expected))


def units_of(text: str, language: str) -> list[str]:
    """Return the words of a text, or its characters; without case and punctuation, in Unicode's NFC.

    Small English numbers are spelled, and four digits or more in a row (a telephone number) one by one, however
    they are grouped: that is how they are said.
    """
    plain = "".join(_plain(character) for character in unicodedata.normalize("NFC", text).casefold())
    words = unicodedata.normalize("NFC", plain).split()
    if language == "en":
        return list(_english(words))
    return list("".join(words)) if language in BY_CHARACTER else words


def _english(words: Sequence[str]) -> Iterator[str]:
    for is_number, run in itertools.groupby(words, key=_is_number):
        row = list(run)
        digits = sum(len(word) if word.isdecimal() else 1 for word in row)
        if is_number and digits >= DIGITS_IN_A_ROW and not (len(row) == 1 and _is_year(row[0])):
            for word in row:
                spelled = [ENGLISH_NUMBERS[digit] for digit in word] if word.isdecimal() else [word]
                yield from (ENGLISH_NUMBERS["0"] if each == "oh" else each for each in spelled)
        else:
            for word in row:
                yield from ENGLISH_SPELLINGS.get(word, (ENGLISH_NUMBERS.get(word, word),))


def _is_number(word: str) -> bool:
    return word.isdecimal() or word in _DIGIT_WORDS or word == "oh"


def _is_year(word: str) -> bool:
    return len(word) == 4 and word[:2] in {"18", "19", "20"}


def _plain(character: str) -> str:
    if character in _APOSTROPHES:
        return ""
    return " " if unicodedata.category(character)[0] in "PSZC" else character


def _distance(expected: Sequence[str], found: Sequence[str]) -> int:
    costs = list(range(len(found) + 1))
    for row, wanted in enumerate(expected, start=1):
        diagonal, costs[0] = costs[0], row
        for column, got in enumerate(found, start=1):
            substituted = diagonal + (wanted != got)
            diagonal = costs[column]
            costs[column] = min(substituted, diagonal + 1, costs[column - 1] + 1)
    return costs[-1]
