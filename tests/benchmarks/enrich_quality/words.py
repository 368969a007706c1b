"""Rules on text, English and Korean: sentences, content words, language, loops. The benchmark's own, on purpose.

They know nothing of the product's rules, so that two revisions are judged alike.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

REPEATS_LEAST: Final = 3
"""So often in a row is a loop."""
LOOP_WORDS_LEAST: Final = 4
"""A loop has at least so many words in all: "no, no, no" is speech."""
SENTENCE_CHARACTERS: Final = 12
"""Shorter sentences may well be said twice."""
FUNCTION_WORDS_LEAST: Final = 0.1
"""Share of function words in an English text of ``JUDGED_WORDS`` and more."""
JUDGED_WORDS: Final = 8
LETTERS_LEAST: Final = 0.5
"""Share of letters in the language's script."""

FUNCTION_WORDS: Final = frozenset(
    [
        "a",
        "about",
        "after",
        "all",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "me",
        "more",
        "my",
        "no",
        "not",
        "of",
        "on",
        "one",
        "or",
        "our",
        "out",
        "said",
        "she",
        "should",
        "so",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "to",
        "up",
        "was",
        "we",
        "were",
        "what",
        "when",
        "which",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
DIGIT_RUN: Final = re.compile(r"\d{8,}")
FENCE_RUN: Final = re.compile(r"={4,}")

_WORD: Final = re.compile(r"[^\W\d_][\w'’-]*|\d[\d.,:]*\d|\d")
_SENTENCE: Final = re.compile(r"[^.!?。]+[.!?。]*")
_SENTENCE_END: Final = re.compile(r"[.!?。…][\"'”’)\]]*$")
_HANGUL: Final = re.compile(r"[가-힣]")
_LATIN: Final = re.compile(r"[A-Za-z\u00c0-\u024f]")
_LETTER: Final = re.compile(r"[^\W\d_]")
_ENDING: Final = re.compile(r"(?:ing|ed|es|s|ly)$")
_LOOPED_WORDS_MOST: Final = 12


def words(text: str) -> list[str]:
    """Return the words and numbers of a text, in small letters."""
    return [word.lower() for word in _WORD.findall(text)]


def folded(text: str) -> str:
    """Return a text's words without numbers, so that items that differ in nothing else are equal."""
    return " ".join(word for word in words(text) if not word[0].isdigit())


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, folded, without empty ones."""
    return [sentence for found in _SENTENCE.findall(text) if (sentence := folded(found))]


def ends_complete(text: str) -> bool:
    """Return whether a text ends with the end of a sentence."""
    return bool(_SENTENCE_END.search(text.rstrip()))


def content_stems(text: str) -> set[str]:
    """Return the beginnings of content words: numbers whole, two syllables in Korean, else without endings."""
    return {
        _stem(word) for word in words(text) if word not in FUNCTION_WORDS and (len(word) > 1 or word.isdigit())
    }


def holds(text: str, claim: str) -> bool:
    """Return whether a text holds at least half of a claim's content words; False for a claim without any."""
    wanted = content_stems(claim)
    return bool(wanted) and 2 * len(wanted & content_stems(text)) >= len(wanted)


def numbers(text: str) -> set[str]:
    """Return the numbers of a text that are written in digits."""
    return {re.sub(r"\D", "", word) for word in words(text) if word[0].isdigit()}


def is_in(language: str, texts: Iterable[str]) -> bool:
    """Return whether texts are in the language, as far as script and function words show; True for none."""
    text = " ".join(texts)
    letters = len(_LETTER.findall(text))
    if not letters:
        return True
    own = len((_HANGUL if language == "ko" else _LATIN).findall(text))
    if own < LETTERS_LEAST * letters:
        return False
    found = [word for word in words(text) if not word[0].isdigit()]
    known = sum(word in FUNCTION_WORDS for word in found)
    return language != "en" or len(found) < JUDGED_WORDS or known >= FUNCTION_WORDS_LEAST * len(found)


def has_loop(text: str) -> bool:
    """Return whether words repeat in a row, or a sentence comes again and again."""
    said = Counter(sentence for sentence in sentences(text) if len(sentence) >= SENTENCE_CHARACTERS)
    if any(times >= REPEATS_LEAST for times in said.values()):
        return True
    found = words(text)
    return any(
        found[start : start + size] == found[start + size : start + 2 * size]
        and _repeats(found, start, size) >= max(REPEATS_LEAST, -(-LOOP_WORDS_LEAST // size))
        for start in range(len(found))
        for size in range(1, _LOOPED_WORDS_MOST + 1)
    )


def _repeats(found: list[str], start: int, size: int) -> int:
    unit, times = found[start : start + size], 1
    while found[start + times * size : start + (times + 1) * size] == unit:
        times += 1
    return times


def _stem(word: str) -> str:
    if word[0].isdigit():
        return re.sub(r"\D", "", word)
    if _HANGUL.match(word):
        return word[:2]
    return (_ENDING.sub("", word) or word)[:6]
