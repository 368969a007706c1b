"""Terms of the search index, equal for every database, and queries over them. Pure.

Text is NFKC and case-folded. A word of an alphabet is one term. Scripts that are written without spaces, and
Hangul, whose words carry particles, are indexed by overlapping pairs: 회의록을 is 회의, 의록, 록을, 을. The last
character stands alone, so a prefix of one character finds it anywhere.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

TERM_CHARACTERS: Final = 64
"""Longer words are cut, in texts and in queries alike."""

_PAIRED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003134f"
)
"""Thai, Lao, Burmese, Khmer, Kana, Han and Hangul."""

_ASCII_WORD: Final = re.compile("[a-z0-9]+")
_QUOTES: Final = re.compile('["“”„«»「」『』]')
_JAMO: Final = ("\u1160", "\u11ff")
_HALF_WIDTH_MARKS: Final = "\uff9e\uff9f"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Terms that must follow each other. When it is ``open``, the last one is a prefix: one character of a script
    that is indexed by pairs."""

    terms: tuple[str, ...]
    open: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a recording must contain: every phrase. Without phrases it finds nothing."""

    phrases: tuple[Phrase, ...] = ()

    def match_expression(self, *required: str) -> str:
        """Return the right side of FTS5's ``MATCH``. ``required`` are further terms: see ``tenant_term``."""
        phrases = (f'"{" ".join(phrase.terms)}"{" *" if phrase.open else ""}' for phrase in self.phrases)
        return " AND ".join((*(f'"{term}"' for term in required), *phrases))

    def tsquery(self, *required: str) -> str:
        """Return the text of PostgreSQL's ``tsquery``: all terms in any order. See also ``patterns``."""
        terms = dict.fromkeys(f"'{term}'" for term in required)
        for phrase in self.phrases:
            last = len(phrase.terms) - 1
            terms |= dict.fromkeys(
                f"'{term}'{':*' if phrase.open and at == last else ''}" for at, term in enumerate(phrase.terms)
            )
        return " & ".join(terms)

    def patterns(self) -> tuple[str, ...]:
        """Return what ``words`` must be ``LIKE``, of phrases with several terms; PostgreSQL only."""
        return tuple(
            f"% {' '.join(phrase.terms)}{'' if phrase.open else ' '}%"
            for phrase in self.phrases
            if len(phrase.terms) > 1
        )


def tenant_term(tenant: str) -> str:
    """Return the term that every recording of a tenant has, and no text."""
    return f"\ue000{hashlib.sha256(tenant.encode()).hexdigest()[:16]}"


def language_term(language: str) -> str:
    """Return the term that every recording in a language has, and no text."""
    return f"\ue001{''.join(_ASCII_WORD.findall(language.lower()))}"


def index_terms(text: str) -> str:
    """Return the terms of a text in order, separated by one space."""
    if text.isascii():
        return " ".join(word[:TERM_CHARACTERS] for word in _ASCII_WORD.findall(text.lower()))
    return " ".join(term for run in _runs().finditer(_normalised(text)) for term in _terms_of(run))


def query_terms(text: str) -> SearchQuery:
    """Return the query that a person wrote: words, and phrases between double quotes. All must occur."""
    phrases: list[Phrase] = []
    for at, part in enumerate(_QUOTES.split(text)):
        # Every second part stands between quotes; without the closing one it reaches to the end.
        pieces = [part] if at % 2 else part.split()
        phrases += [phrase for piece in pieces if (phrase := _phrase(piece)).terms]
    return SearchQuery(tuple(dict.fromkeys(phrases)))


def find_in(text: str, query: SearchQuery) -> list[tuple[int, int]]:
    """Return the spans of characters of a text in which phrases of a query stand: in order, apart, merged."""
    terms = list(_located_terms(text))
    spans = sorted(span for phrase in query.phrases for span in _spans(terms, phrase))
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _phrase(text: str) -> Phrase:
    """Return the phrase of a text: as it is indexed, but the last word may go on."""
    terms: list[str] = []
    is_open = False
    for run in _runs().finditer(_normalised(text)):
        terms += _terms_of(run)
        is_open = run.lastgroup == "paired"
    if is_open and len(terms) > 1 and len(terms[-2]) == 2 and terms[-2].endswith(terms[-1]):
        # The last character alone would ask for the end of the word.
        return Phrase(tuple(terms[:-1]))
    return Phrase(tuple(terms), open=is_open)


def _spans(terms: list[tuple[str, int, int]], phrase: Phrase) -> Iterator[tuple[int, int]]:
    width = len(phrase.terms)
    for at in range(len(terms) - width + 1):
        window = terms[at : at + width]
        found = tuple(term for term, _, _ in window)
        if found[:-1] == phrase.terms[:-1] and _is_last(found[-1], phrase):
            start, end = window[0][1], window[-1][2]
            yield start, start + 1 if phrase.open and width == 1 else end


def _is_last(term: str, phrase: Phrase) -> bool:
    return term.startswith(phrase.terms[-1]) if phrase.open else term == phrase.terms[-1]


def _located_terms(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each term with the span of the original characters that it was made of."""
    pieces: list[str] = []
    origins: list[tuple[int, int]] = []
    for start, end in _clusters(text):
        piece = _normalised(text[start:end])
        pieces.append(piece)
        origins += [(start, end)] * len(piece)
    for run in _runs().finditer("".join(pieces)):
        for offset, term in enumerate(_terms_of(run)):
            first = run.start() + (offset if run.lastgroup == "paired" else 0)
            last = first + len(term) - 1 if run.lastgroup == "paired" else run.end() - 1
            yield term, origins[first][0], origins[last][1]


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of characters that are normalised together: each with the marks that follow it."""
    start = 0
    for at in range(1, len(text)):
        if not _continues(text[at]):
            yield start, at
            start = at
    if text:
        yield start, len(text)


def _continues(character: str) -> bool:
    return not character.isascii() and (
        unicodedata.category(character)[0] == "M"
        or _JAMO[0] <= character <= _JAMO[1]
        or character in _HALF_WIDTH_MARKS
    )


def _terms_of(run: re.Match[str]) -> list[str]:
    word = run[0]
    if run.lastgroup == "paired":
        return [word[at : at + 2] for at in range(len(word))]
    return [word[:TERM_CHARACTERS]]


def _normalised(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFKC", folded)


@cache
def _runs() -> re.Pattern[str]:
    """Return the pattern of a run of letters, digits and their marks, of one kind of script."""
    marks = "".join(
        chr(code)
        for code in range(0x300, 0x10000)
        if unicodedata.category(chr(code))[0] == "M" and not re.match(f"[{_PAIRED}]", chr(code))
    )
    return re.compile(f"(?P<paired>[{_PAIRED}]+)|(?P<word>(?:(?![{_PAIRED}])[^\\W_][{re.escape(marks)}]*)+)")
