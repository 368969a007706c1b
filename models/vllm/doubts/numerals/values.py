"""Numbers found in text."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NumberRun:
    """Numbers that stand next to each other, such as the parts of a telephone number or a year in words.

    ``is_certain`` is false where the words may mean something else: they count for the transcript, not against a
    claim. ``parts`` are values that the same words may mean too, such as 3.5 in "3.5 million".
    """

    values: tuple[float, ...]
    digits: str
    text: str
    start: int
    is_certain: bool = True
    parts: tuple[float, ...] = ()


def as_value(number: float) -> float:
    """Return a number rounded, so that equal amounts are equal however they were computed."""
    return round(number, 6)


def digits_of(values: Iterable[float]) -> str:
    """Return the digits of whole numbers, one after the other."""
    return "".join(str(int(value)) if value == int(value) else str(value).replace(".", "") for value in values)
