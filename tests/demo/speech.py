"""Recordings that the demo drops, and whether a transcript is of them."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kascribe.commands.installation.selftest import words
from models.selftest import clips

SAME_WORDS_RATIO: Final = 0.8
"""Least share of equal words: a small model hears some words wrong, and packing changes a few per format."""
ENGLISH: Final = Path("en") / "jfk.flac"
ENGLISH_TEXT: Final = (
    "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country."
)
TECHNICAL: Final = Path("en") / "riva_en-US_AntiBERTa.wav"
TECHNICAL_TEXT: Final = (
    "AntiBERTa and ABlooper, both transformer based language models, are examples of the emerging work in using "
    "graph networks to design protein sequences for particular target antigens."
)
KOREAN: Final = Path("ko") / "watson_ko-KR_BroadbandModel_sample1.wav"
KOREAN_WORDS: Final = ("호텔", "예약")
"""Words of the Korean recording, a question about hotel rooms, that the model must write."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A recording and its text."""

    path: Path
    text: str


def english() -> Spoken:
    """Return an English recording: a human one of KASCRIBE_TEST_SPEECH, else a synthetic one of the repository."""
    corpus = _corpus()
    if corpus and (corpus / ENGLISH).is_file():
        return Spoken(corpus / ENGLISH, ENGLISH_TEXT)
    clip = next(clip for clip in clips() if clip.text)
    return Spoken(clip.path, clip.text)


def to_summarize() -> Spoken:
    """Return a recording with something to summarize, one sentence about proteins; without the corpus, any."""
    corpus = _corpus()
    if corpus and (corpus / TECHNICAL).is_file():
        return Spoken(corpus / TECHNICAL, TECHNICAL_TEXT)
    return english()


def korean() -> Path | None:
    """Return a Korean recording of KASCRIBE_TEST_SPEECH; None without that folder."""
    corpus = _corpus()
    path = corpus / KOREAN if corpus else None
    return path if path and path.is_file() else None


def is_same_speech(text: str | None, expected: str) -> bool:
    """Return whether the words are those expected, but for a few; the order counts."""
    heard, spoken = words(text or ""), words(expected)
    return difflib.SequenceMatcher(None, heard, spoken, autojunk=False).ratio() >= SAME_WORDS_RATIO


def is_about(answer: str, text: str) -> bool:
    """Return whether an answer shares a content word, one of five letters or more, with a text."""
    return any(len(word) >= 5 for word in {*words(answer)} & {*words(text)})


def has_content(text: str) -> bool:
    """Return whether a text says something that a summary can be about: digits and short words do not."""
    return sum(len(word) >= 6 for word in words(text)) >= 5


def _corpus() -> Path | None:
    named = os.environ.get("KASCRIBE_TEST_SPEECH")
    return Path(named) if named else None
