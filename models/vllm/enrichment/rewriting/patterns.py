"""Identifying numbers and addresses in text, found by patterns. Pure; English, Korean and Chinese.

Written forms follow RFC 5322 (mail addresses, the common part of them) and ISO/IEC 7812-1 (card numbers: 12 to 19
digits with the check digit of Luhn). Spoken forms are sequences of digit words, as in a telephone number that is
read aloud.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.vllm.answers.spoken_digits import CHINESE, ENGLISH, KOREAN

DIGITS_MINIMUM: Final = 4
"""Fewer digits are a room, a count or an hour."""
SPOKEN_DIGITS_MINIMUM: Final = 4
SPOKEN_SYLLABLES_MINIMUM: Final = 6
"""Korean and Chinese digits are single syllables that other words contain, so a shorter run is left."""
CARD_DIGITS: Final = range(12, 20)


class RedactionKind(StrEnum):
    """What a redacted passage was. The text gets the kind in square brackets."""

    NAME = "name"
    NUMBER = "number"
    EMAIL = "email"
    CARD = "card"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A passage to redact: the characters from ``start`` up to ``end``."""

    start: int
    end: int
    kind: RedactionKind


_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SPOKEN_EMAIL: Final = re.compile(
    r"\b[a-z0-9]+(?:(?: dot | underscore |[._-])[a-z0-9]+)* at [a-z0-9-]+(?:(?: dot |\.)[a-z0-9-]+)+"
    r"|[\w.-]+\s?골뱅이\s?[\w-]+(?:(?:\s?(?:닷|점|쩜)\s?|\.)[\w-]+)+",
    re.IGNORECASE,
)
# Digits with the separators of telephone, account and identity numbers. A comma is none: it groups amounts.
_DIGITS: Final = re.compile(r"\+?\(?\d(?:[ ./()-]{0,2}\d)*")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_DATE: Final = re.compile(r"\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{4}")
_DECIMAL: Final = re.compile(r"\d{1,3}\.\d+")
_PART_OF_AMOUNT: Final = re.compile(r"[,.]\d")
_SPOKEN_NUMBER: Final = re.compile(
    rf"\b(?:(?:double|triple) )?{ENGLISH}(?:[ ,-]+(?:(?:double|triple) )?{ENGLISH})"
    rf"{{{SPOKEN_DIGITS_MINIMUM - 1},}}\b",
    re.IGNORECASE,
)
_MORE_SYLLABLES: Final = f"{{{SPOKEN_SYLLABLES_MINIMUM - 1},}}"
_SPOKEN_SYLLABLES: Final = re.compile(
    rf"{KOREAN}(?:[ ,-]*(?:에 |의 )?{KOREAN}){_MORE_SYLLABLES}"
    rf"|{CHINESE}(?:[ ,，、-]*{CHINESE}){_MORE_SYLLABLES}"
)


def find_patterns(text: str) -> list[Finding]:
    """Return the findings in a text, in order; they do not overlap. The longer of two that overlap is kept."""
    found = sorted(_all(text), key=lambda one: (one.start - one.end, one.start))
    kept: list[Finding] = []
    for finding in found:
        if all(finding.end <= other.start or finding.start >= other.end for other in kept):
            kept.append(finding)
    return sorted(kept)


def _all(text: str) -> Iterator[Finding]:
    for pattern in (_EMAIL, _SPOKEN_EMAIL):
        yield from (Finding(*match.span(), RedactionKind.EMAIL) for match in pattern.finditer(text))
    for pattern in (_SPOKEN_NUMBER, _SPOKEN_SYLLABLES):
        yield from (Finding(*match.span(), RedactionKind.NUMBER) for match in pattern.finditer(text))
    for match in _DIGITS.finditer(text):
        kind = _kind_of(match.group(), before=text[: match.start()], after=text[match.end() :])
        if kind is not None:
            yield Finding(*match.span(), kind)


def _kind_of(written: str, *, before: str, after: str) -> RedactionKind | None:
    digits = re.sub(r"\D", "", written)
    if len(digits) in CARD_DIGITS and _passes_luhn(digits):
        return RedactionKind.CARD
    is_amount = bool(_PART_OF_AMOUNT.match(after)) or before[-1:] in {",", "$", "€", "£", "₩", "¥"}
    if len(digits) < DIGITS_MINIMUM or is_amount:
        return None
    is_ordinary = any(pattern.fullmatch(written) for pattern in (_YEAR, _DATE, _DECIMAL))
    return None if is_ordinary else RedactionKind.NUMBER


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
