"""Numbers: those of a claim that the transcript does not contain, in digits or words of three languages."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from models.vllm.doubts.numerals.colloquial import colloquial_numbers
from models.vllm.doubts.numerals.english import english_numbers, loose_english_numbers
from models.vllm.doubts.numerals.myriads import myriad_numbers
from models.vllm.doubts.numerals.values import NumberRun, as_value
from models.vllm.doubts.words import has_characters

DIGITS_COMPARED: Final = 3
"""Fewer digits are found in any telephone number."""
DIGITS_JOINED: Final = 7
"""So many digits may be spread over the transcript's runs."""
ROUNDED_WITHIN: Final = 0.05
"""Share by which a number called approximate may differ from one of the transcript."""
SPELLED_FROM: Final = 4
"""So many single digits in a row are read one by one."""
COUNTED_UP_TO: Final = 10
"""The model may count speakers, items and the like up to this number."""

_ABOUT_CHARACTERS: Final = 24
"""Where ``_ABOUT`` is looked for: a search through the whole text before each number would take quadratic time."""
_ABOUT: Final = re.compile(
    r"(?:about|around|approximately|approx\.?|roughly|nearly|almost|over|more than|at least|under|some|"
    r"약|대략|거의|"
    r"대략적으로|大约|大約|约|近|超过|将近|左右)\s*[$€£₩¥]?\s*$",
    re.IGNORECASE,
)
_COUNTED: Final = re.compile(
    r"[\s-]*(?:\w+\s+)?(?:speakers?|people|persons?|participants?|parties|part(?:s|y)?|things?|issues?|points?|topics?|"
    r"options?|items?|tasks?|steps?|questions?|reasons?|problems?|ways?|colleagues?|friends?|sides?|segments?|"
    r"사람|명|가지|개|분|단계|번째|个|位|人|点|件|项|方面|步|种)",
    re.IGNORECASE,
)
_ENUMERATION: Final = re.compile(r"(?m)^\s*(?:\(?\d{1,2}[.)]|[①-⑳])(?=\s)")
_CITED: Final = re.compile(
    r"\[\s*\d+(?:\s*[,;-]\s*\d+)*\s*\]|\bsegments?\s+#?\d+(?:\s*(?:,|and|-|to)\s*\d+)*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SpokenNumbers:
    """The numbers of a transcript."""

    values: frozenset[float]
    stated: frozenset[float]
    """Those that the transcript surely states, and not in a word that may mean something else."""
    runs: str
    """The digits of neighbouring numbers, a space between runs."""

    @classmethod
    def of(cls, text: str) -> "SpokenNumbers":
        """Collect the numbers of folded text."""
        values = {0.0, 1.0, *loose_english_numbers(text)}
        if has_characters(text):
            values.update(colloquial_numbers(text))
        digits = []
        stated: set[float] = set()
        for run in number_runs(text):
            digits.append(run.digits)
            if not _is_spelled(run):
                values.update(run.values, run.parts)
                stated.update(run.values if run.is_certain else ())
        return cls(frozenset(values), frozenset(stated), " ".join(digits))

    def with_values(self, more: Iterable[float]) -> "SpokenNumbers":
        """Return these numbers and more that other rules found."""
        return replace(self, values=self.values.union(map(as_value, more)))

    def contain(self, run: NumberRun) -> bool:
        """Return whether the transcript has a claim's number, as a value or digit by digit."""
        if len(run.digits) >= DIGITS_COMPARED and run.digits in self.runs:
            return True
        if len(run.digits) >= DIGITS_JOINED and run.digits in self.runs.replace(" ", ""):
            return True
        if run.digits and len(run.digits) < 16 and float(run.digits) in self.values:
            return True
        is_pair = len(run.text) == len(run.parts) == 2  # 三四个: three or four
        return any(
            all(value in self.values for value in read) for read in (run.values, run.parts if is_pair else (-1.0,))
        )

    def are_near(self, run: NumberRun) -> bool:
        """Return whether the transcript has numbers of about the same size."""
        return all(
            any(abs(value - other) <= ROUNDED_WITHIN * max(abs(other), 1.0) for other in self.values)
            for value in run.values
        )


def number_runs(text: str) -> Iterator[NumberRun]:
    """Yield the numbers of folded text in any of the languages; the same digits may be found twice."""
    yield from english_numbers(text)
    if has_characters(text):
        yield from myriad_numbers(text)


def doubtful_numbers(claim: str, spoken: SpokenNumbers) -> Iterator[str]:
    """Yield the words of numbers in a folded claim that the transcript does not contain."""
    claim = _CITED.sub(_blank, _ENUMERATION.sub(_blank, claim))
    runs = sorted(
        (run for run in number_runs(claim) if run.is_certain), key=lambda run: (run.start, -len(run.text))
    )
    end = 0
    for run in runs:
        if run.start < end:
            continue  # a part of a longer one
        end = run.start + len(run.text)
        if not (spoken.contain(run) or _is_about(claim, run, spoken) or _is_count(claim, run)):
            yield run.text


def _is_spelled(run: NumberRun) -> bool:
    """Return whether a run is read digit by digit, as telephone numbers are: its digits are no amounts."""
    return len(run.values) >= SPELLED_FROM and max(run.values) < 10


def _is_about(claim: str, run: NumberRun, spoken: SpokenNumbers) -> bool:
    before = claim[max(run.start - _ABOUT_CHARACTERS, 0) : run.start]
    return bool(_ABOUT.search(before)) and spoken.are_near(run)


def _is_count(claim: str, run: NumberRun) -> bool:
    is_small = len(run.values) == 1 and run.values[0] <= COUNTED_UP_TO and not run.text[0].isdigit()
    return is_small and bool(_COUNTED.match(claim, run.start + len(run.text)))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
