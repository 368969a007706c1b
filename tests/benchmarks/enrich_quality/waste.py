"""Tokens that a reader gets nothing from: in runs of digits, in loops, after the last complete sentence."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from tests.benchmarks.enrich_quality.shapes import at_bound, parsed
from tests.benchmarks.enrich_quality.words import DIGIT_RUN, SENTENCE_CHARACTERS, folded

KINDS: Final = ("digits", "loops", "tail")

_LOOP: Final = re.compile(r"(?s)(.{3,240}?)\1{2,}")
_SENTENCE: Final = re.compile(r"[^.!?。\"\\]+[.!?。]")
_END: Final = re.compile(r"[.!?。](?=[\s\"'”’]|$)|[\]}]")


@dataclass(frozen=True, slots=True)
class Waste:
    """Tokens by kind. They are estimates: see ``waste_of``."""

    digits: float = 0.0
    loops: float = 0.0
    tail: float = 0.0


def waste_of(text: str, completion_tokens: int, schema: dict[str, Any] | None, *, is_cut: bool) -> Waste:
    """Estimate the wasted tokens of a raw answer.

    A digit counts as one token, as in most tokenizers; other text shares the rest of the tokens by its bytes. Only
    the repetitions are wasted of a loop, not what is said first. A character is counted once.
    """
    marks: list[str | None] = [None] * len(text)
    for kind, spans in (("digits", _digits(text)), ("loops", _loops(text)), ("tail", _tail(text, schema, is_cut))):
        for start, end in spans:
            marks[start:end] = [mark or kind for mark in marks[start:end]]
    digits = sum(character.isdigit() for character in text)
    other_bytes = len(text.encode()) - digits
    per_byte = max(completion_tokens - digits, 0) / other_bytes if other_bytes else 0.0
    tokens: Counter[str] = Counter()
    for character, mark in zip(text, marks, strict=True):
        if mark:
            tokens[mark] += 1 if character.isdigit() else per_byte * len(character.encode())  # type: ignore[assignment]
    return Waste(*(float(tokens[kind]) for kind in KINDS))


def _digits(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in DIGIT_RUN.finditer(text)]


def _loops(text: str) -> list[tuple[int, int]]:
    spans = [(match.end(1), match.end()) for match in _LOOP.finditer(text)]
    seen: set[str] = set()
    for match in _SENTENCE.finditer(text):
        sentence = folded(match[0])
        if len(sentence) >= SENTENCE_CHARACTERS and sentence in seen:
            spans.append(match.span())
        seen.add(sentence)
    return spans


def _tail(text: str, schema: dict[str, Any] | None, is_cut: bool) -> list[tuple[int, int]]:
    """Find what follows the last complete sentence: of the whole, or of strings that reached their bound."""
    if is_cut:
        ends = [match.end() for match in _END.finditer(text)]
        return [(ends[-1] if ends else 0, len(text))]
    value = parsed(text)
    spans = []
    for string in at_bound(value, schema) if schema else ():
        if isinstance(string, str) and (written := text.find(json.dumps(string, ensure_ascii=False)[1:-1])) >= 0:
            ends = [match.end() for match in re.finditer(r"[.!?。](?=\s|$)", string)]
            spans.append((written + (ends[-1] if ends else 0), written + len(string)))
    return spans
