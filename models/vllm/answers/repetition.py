"""Text without end: words, sentences and digits that repeat themselves. Pure."""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Final

from models.vllm.answers.spoken_digits import CHINESE, ENGLISH, KOREAN

_CHARACTERS: Final = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
TOKEN: Final = re.compile(rf"[{_CHARACTERS}]|[^\W\d_{_CHARACTERS}]+|\d+")
"""A word, a number, or one Korean, Chinese or Japanese character: their words run together."""
PHRASE_TOKENS_LIMIT: Final = 40
"""Length of the longest phrase that is looked for."""
REPEATS_OF_ONE: Final = 6
REPEATS_OF_SOME: Final = 4
REPEATS: Final = 3
"""How often a phrase of one token, of two or three, and of more is in a row in a loop. "No, no, no" is none."""
SENTENCES_MINIMUM: Final = 4
REPEATED_SHARE: Final = 0.5
"""Share of sentences that were said before, from which a text goes round in circles."""
DIGITS_MINIMUM: Final = 12
PERIOD_LIMIT_DIGITS: Final = 10
PERIOD_EXCESS_DIGITS: Final = 6
"""A run of digits repeats itself if at least this many of them equal those one period before."""
DIGITS_LIMIT: Final = 25
"""No number has more digits: account numbers have up to 24."""
INVENTED_DIGITS: Final = 8
"""A number of this many digits was not said in a recording without digits."""
_RULED_LINES: Final = re.compile(r"(?:^[^\w\n]{3,}\n){2,}[^\w\n]{3,}$", re.MULTILINE)
"""Lines of punctuation alone, three in a row."""
_SAID_DIGITS: Final = re.compile(
    rf"\d|\b{ENGLISH}\b|{KOREAN}(?=[ ,-]*{KOREAN})|{CHINESE}(?=[ ,，、-]*{CHINESE})",
    re.IGNORECASE,
)
"""A digit, or the word of one; Korean and Chinese ones in a row, since other words contain them."""
_INVENTED: Final = re.compile(rf"\d{{{INVENTED_DIGITS},}}")
_SENTENCE_END: Final = re.compile(r"[.!?\u3002\uff01\uff1f\n]+")
_NUMBERING: Final = re.compile(r"^\s*(?:\[[\d, ]*\]|\d+[.)])")
"""Ids that a model copies from the lines of the transcript, and numbers of items."""
_DIGITS: Final = re.compile(rf"\d{{{DIGITS_MINIMUM},}}")


def is_loop(text: str) -> bool:
    """Return whether a phrase or most sentences of a text repeat themselves."""
    tokens = [token.lower() for token in TOKEN.findall(text)]
    return bool(_RULED_LINES.search(text)) or _has_phrase_in_a_row(tokens) or _goes_in_circles(text)


def is_digit_run(text: str, material: str = "") -> bool:
    """Return whether a text has a number without end, unless the material contains it.

    A long number is one as well where the material has not half as many digits, written or spoken.
    """
    if any(_is_endless(run) and run not in material for run in _DIGITS.findall(text)):
        return True
    invented = [run for run in _INVENTED.findall(text) if material and run not in material]
    return bool(invented) and 2 * len(_SAID_DIGITS.findall(material)) < max(map(len, invented))


def normalized(text: str) -> str:
    """Return the words and numbers of a text in lower case, without punctuation."""
    return " ".join(token.lower() for token in TOKEN.findall(text))


def repeated_count(texts: Collection[str]) -> int:
    """Return how many of the texts were there before."""
    return len(texts) - len(set(texts))


def _has_phrase_in_a_row(tokens: Sequence[str]) -> bool:
    for length in range(1, min(PHRASE_TOKENS_LIMIT, len(tokens) // REPEATS) + 1):
        wanted = length * (_repeats(length) - 1)
        equal = 0
        for one, other in zip(tokens, tokens[length:], strict=False):
            equal = equal + 1 if one == other else 0
            if equal >= wanted:
                return True
    return False


def _repeats(length: int) -> int:
    return REPEATS_OF_ONE if length == 1 else REPEATS_OF_SOME if length <= REPEATS_OF_SOME - 1 else REPEATS


def _goes_in_circles(text: str) -> bool:
    said = (normalized(_NUMBERING.sub("", sentence)) for sentence in _SENTENCE_END.split(text))
    sentences = [sentence for sentence in said if " " in sentence]
    return len(sentences) >= SENTENCES_MINIMUM and repeated_count(sentences) >= REPEATED_SHARE * len(sentences)


def _is_endless(run: str) -> bool:
    if len(run) >= DIGITS_LIMIT or all((int(after) - int(before)) % 10 == 1 for before, after in pairwise(run)):
        return True
    periods = range(1, min(PERIOD_LIMIT_DIGITS, len(run) - PERIOD_EXCESS_DIGITS) + 1)
    return any(run[period:] == run[:-period] for period in periods)
