"""Quality gate: what is wrong with an answer that its schema admits. Pure.

Of 72 valid answers of a model with 135 million parameters, 61 would not have satisfied a reader. The rules here
need no judgement of the content: ``models.vllm.doubts`` compares that with the transcript.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from models.vllm.answers.languages import is_in_another_language
from models.vllm.answers.parts import described_parts
from models.vllm.answers.repetition import TOKEN, is_digit_run, is_loop, normalized, repeated_count
from schemas.transcripts.answer_flags import AnswerFlag

FATAL: Final = frozenset({AnswerFlag.FENCE, AnswerFlag.DIGIT_RUN, AnswerFlag.REPETITION})
"""No answer with one of these is published."""
CONTENT_WORDS: Final = 20
"""Words of material from which an answer must say something."""
PROSE_CHARACTERS: Final = 240
"""Strings that may be this long hold sentences."""
ROOM_CHARACTERS: Final = 60
"""In a small context the bounds shrink; strings that are shorter hold no sentence."""
SHORT_WORDS: Final = 2
CHARACTERS_PER_WORD: Final = 2
"""Of Chinese and Japanese, which have no spaces."""
DUPLICATES_LIMIT: Final = 2
DUPLICATES_SHARE: Final = 1 / 3
LOOPED_ITEMS: Final = 4
"""Equal items, if they are most of a list, are a loop."""
ECHO_WORDS: Final = 4
ECHO_SHARE: Final = 0.8
ECHO_MINIMUM_WORDS: Final = 5
NONCE_CHARACTERS: Final = 8
"""Characters of the fence's word that do not stand in an answer by chance."""
INTEGER_LIMIT: Final = 10**15
_BORDER: Final = re.compile(r"={4,}")
_IDEOGRAPH: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_WORD: Final = re.compile(r"[^\W\d_\u3040-\u30ff\u3400-\u9fff]+")


@dataclass(frozen=True)
class Expected:
    """What is expected of an answer. ``schema`` None: text; ``languages`` empty: any; ``prompt`` is all of it but
    the ``lines``."""

    lines: tuple[str, ...]
    prompt: str
    nonce: str
    schema: Mapping[str, Any] | None = None
    languages: tuple[str, ...] = ()
    may_be_empty: bool = True
    room_characters: int = PROSE_CHARACTERS
    """Length of the longest string that the schema admits as it was sent."""

    @cached_property
    def material(self) -> str:
        """The lines in lower case."""
        return "\n".join(self.lines).lower()

    @cached_property
    def has_content(self) -> bool:
        """True when the lines say something."""
        return words_in(" ".join(self.lines)) >= CONTENT_WORDS

    @cached_property
    def echoes(self) -> frozenset[tuple[str, ...]]:
        """Phrases that only the prompt has, not the lines."""
        return frozenset(_phrases(self.prompt)) - frozenset(_phrases(self.material))


def flags_of(answer: Any, expected: Expected) -> tuple[AnswerFlag, ...]:
    """Return what is wrong with a valid, cleaned answer; nothing for a good one."""
    strings = tuple(strings_in(answer, expected.schema))
    conditions = {
        AnswerFlag.FENCE: any(_has_fence(text, expected.nonce) for text in strings),
        AnswerFlag.DIGIT_RUN: _has_digit_run(answer, strings, expected.material),
        AnswerFlag.REPETITION: any(map(is_loop, strings)) or any(map(_is_looped, _lists(answer))),
        AnswerFlag.DUPLICATE_ITEMS: any(map(_has_duplicates, _lists(answer))),
        AnswerFlag.TASK_ECHO: any(_is_echo(text, expected.echoes) for text in strings),
        AnswerFlag.EMPTY: not expected.may_be_empty and expected.has_content and not any(map(words_in, strings)),
        AnswerFlag.WRONG_LANGUAGE: _is_foreign(strings, expected),
        AnswerFlag.SHORT: expected.has_content and _is_short(answer, expected),
    }
    return tuple(flag for flag, holds in conditions.items() if holds)


def words_in(text: str) -> float:
    """Return the words of a text; two ideographs or kana count as one."""
    return len(_WORD.findall(text)) + len(_IDEOGRAPH.findall(text)) / CHARACTERS_PER_WORD


def strings_in(answer: Any, schema: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the strings that the model wrote itself: not the choices of the schema."""
    if isinstance(answer, str):
        yield answer
    elif schema is not None:
        yield from (part for part, _, _ in described_parts(answer, schema, schema) if isinstance(part, str))


def _has_fence(text: str, nonce: str) -> bool:
    if nonce[:NONCE_CHARACTERS] in text.lower():
        return True
    lines = text.split("\n")
    return any(
        _BORDER.search(line) and not _underlines(line, before)
        for before, line in zip(["", *lines], lines, strict=False)
    )


def _underlines(line: str, before: str) -> bool:
    """Return whether a line of = marks the line before as a heading, as long as that."""
    mark, title = line.strip(), before.strip()
    return set(mark) == {"="} and bool(title) and abs(len(mark) - len(title)) <= 2


def _has_digit_run(answer: Any, strings: tuple[str, ...], material: str) -> bool:
    if any(is_digit_run(text, material) for text in strings):
        return True
    return any(isinstance(leaf, int) and abs(leaf) >= INTEGER_LIMIT for leaf in _leaves(answer))


def _is_looped(items: list[str]) -> bool:
    repeated = repeated_count(items)
    return repeated >= LOOPED_ITEMS - 1 and repeated > len(items) / 2


def _has_duplicates(items: list[str]) -> bool:
    repeated = repeated_count(items)
    return repeated >= DUPLICATES_LIMIT or (repeated > 0 and repeated >= DUPLICATES_SHARE * len(items))


def _is_echo(text: str, echoes: frozenset[tuple[str, ...]]) -> bool:
    phrases = list(_phrases(text))
    if len(phrases) + ECHO_WORDS - 1 < ECHO_MINIMUM_WORDS:
        return False
    return sum(phrase in echoes for phrase in phrases) >= ECHO_SHARE * len(phrases)


def _is_foreign(strings: tuple[str, ...], expected: Expected) -> bool:
    """Names and quotations, which the material contains, are in whatever language they were said."""
    own = " ".join(text for text in strings if text.lower() not in expected.material)
    return is_in_another_language(own, expected.languages)


def _is_short(answer: Any, expected: Expected) -> bool:
    if isinstance(answer, str):
        return words_in(answer) <= SHORT_WORDS
    if expected.schema is None or expected.room_characters < ROOM_CHARACTERS:
        return False
    parts = described_parts(answer, expected.schema, expected.schema)
    prose = [part for part, described, _ in parts if isinstance(part, str) and _is_prose(described)]
    return bool(prose) and sum(map(words_in, prose)) <= SHORT_WORDS


def _is_prose(described: Mapping[str, Any]) -> bool:
    return bool(described.get("maxLength", PROSE_CHARACTERS) >= PROSE_CHARACTERS) and "pattern" not in described


def _phrases(text: str) -> Iterator[tuple[str, ...]]:
    words = [token.lower() for token in TOKEN.findall(text)]
    return zip(*(words[start:] for start in range(ECHO_WORDS)), strict=False)


def _lists(answer: Any) -> Iterator[list[str]]:
    """Yield the lists of an answer, each item as the words that it holds; items without words do not count."""
    if isinstance(answer, list):
        said = (" | ".join(normalized(leaf) for leaf in _leaves(item) if isinstance(leaf, str)) for item in answer)
        yield [text for text in said if text.strip(" |")]
    for item in answer if isinstance(answer, list) else answer.values() if isinstance(answer, dict) else ():
        yield from _lists(item)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    elif not isinstance(value, bool):
        yield value
