"""Words: text in one form, cut into tokens, and reduced to what an inflected word keeps."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, Protocol

from models.vllm.doubts.word_lists import word_list

HANGUL: Final = "\uac00-\ud7a3"
HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff"
KANA: Final = "\u3040-\u30ff"

_QUOTES: Final = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-"})
_TOKEN: Final = re.compile(rf"[{HANGUL}]+|[{HAN}]+|[{KANA}]+|[^\W\d_{HANGUL}{HAN}{KANA}]+(?:'[^\W\d_]+)?|\d+")
_IS_HANGUL: Final = re.compile(f"[{HANGUL}]")
_IS_HAN: Final = re.compile(f"[{HAN}{KANA}]")
_CHARACTERS: Final = re.compile(f"[{HANGUL}{HAN}]")
_IS_LATIN: Final = re.compile("[A-Za-z\u00c0-\u024f]")

_PARTICLES: Final = re.compile(
    "(?:에게서|으로서|으로써|이라고|이라는|에서는|에게는|까지는|부터는|께서는|에게|한테|께서|에서|까지|부터|처럼|보다|으로|이랑|하고|라고|라는|이나|"
    "이며|이고|은|는|이|가|을|를|에|의|도|만|와|과|로|나|랑|께|야|아)$"
)
SCRIPT_CHARACTERS: Final = 4_000
"""Characters by which the script of a text is judged."""
_STEM_CHARACTERS: Final = 5
_STOP_WORDS: Final = word_list("stop_words")


def fold(text: str) -> str:
    """Return text with compatibility characters, quotation marks and dashes in one form. Case stays."""
    return unicodedata.normalize("NFKC", text).translate(_QUOTES)


def tokens(text: str) -> Iterator[str]:
    """Yield words and numbers of folded text, one script each, in lower case."""
    yield from _TOKEN.findall(text.lower())


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return what inflection leaves of a lower-case word, without particle, plural or the end of a long word."""
    if _IS_HANGUL.match(word):
        return without_particle(word)
    word = word.removesuffix("'s").split("'")[0]
    if len(word) > _STEM_CHARACTERS:
        return word[:_STEM_CHARACTERS]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def without_particle(word: str) -> str:
    """Return a Korean word without its particle; a word of one syllable stays."""
    return _PARTICLES.sub("", word) or word if len(word) > 1 else word


def units(text: str) -> frozenset[str]:
    """Return what two texts about the same share: stems of words, pairs of Korean and Chinese characters."""
    return units_of(tokens(text))


def units_of(words: Iterable[str]) -> frozenset[str]:
    """Return the same of words that are read already."""
    return frozenset(_units(words))


def _units(words: Iterable[str]) -> Iterator[str]:
    for token in words:
        if _IS_HANGUL.match(token) or _IS_HAN.match(token):
            kept = without_particle(token)
            yield from (kept[at : at + 2] for at in range(len(kept) - 1))
        elif token not in _STOP_WORDS and (len(token) > 2 or token.isdigit()):
            yield stem(token)


def has_latin(text: str) -> bool:
    """Return whether any letter is Latin: rules for English have nothing to look for elsewhere."""
    return bool(_IS_LATIN.search(text))


def has_characters(text: str) -> bool:
    """Return whether any letter is Korean, Chinese or Japanese."""
    return bool(_CHARACTERS.search(text))


def script_of(text: str) -> str | None:
    """Return the script that most of the letters are in: hangul, han (with kana) or latin. None without any."""
    sample = text[:SCRIPT_CHARACTERS]
    counts = {
        # A syllable or an ideograph says as much as several Latin letters.
        "hangul": 3 * len(_IS_HANGUL.findall(sample)),
        "han": 3 * len(_IS_HAN.findall(sample)),
        "latin": len(_IS_LATIN.findall(sample)),
    }
    script = max(counts, key=lambda name: counts[name])
    return script if counts[script] else None


class Mention(Protocol):
    """Words at a place of a text."""

    @property
    def text(self) -> str:
        """The words."""
        ...

    @property
    def start(self) -> int:
        """Where they begin."""
        ...


def without_mentions(text: str, mentions: Iterable[Mention]) -> str:
    """Return text with spaces in the place of mentions, so that their numbers are not read again."""
    characters = list(text)
    for mention in mentions:
        characters[mention.start : mention.start + len(mention.text)] = " " * len(mention.text)
    return "".join(characters)
