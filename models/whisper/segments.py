"""From what windows decoded to, to the segments that people read.

Text is decoded without Whisper's own timestamps, which cost speed and words. A short window of one span is one
segment, timed by the voice detector; of a longer one the words are aligned, and segments end with sentences,
at pauses, or where they grow longer than a reader of subtitles likes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from models.media.windows import Window
from models.whisper.gate import Decoded
from models.whisper.words import HeardWord, ends_sentence
from schemas.transcript import QualityFlag, Segment, Word

PAUSE_SECONDS = 0.6
"""Silence between words at which a segment ends."""
SHORTEST_SECONDS = 1.0
"""A sentence shorter than this takes the next one with it."""
LONG_SECONDS = 7.0
"""From here on, a comma ends a segment."""
LONGEST_SECONDS = 12.0
"""Here it ends anywhere."""
UNALIGNED_SECONDS = 5.0
"""A window of one span up to this long needs no alignment to be timed well enough."""
SPACELESS_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my", "yue", "km", "bo"})
_COMMAS = (",", "，", "、", ";", "；", ":", "：")


@dataclass(frozen=True, slots=True)
class HeardWindow:
    """A window and what stands for it; ``decoded`` is None where nothing was said."""

    window: Window
    decoded: Decoded | None
    flags: tuple[QualityFlag, ...] = ()
    words: tuple[HeardWord, ...] | None = None


def needs_alignment(window: Window) -> bool:
    """Whether the detector's times are too coarse for this window."""
    return len(window.spans) > 1 or window.duration_seconds > UNALIGNED_SECONDS


def joined(texts: Iterable[str], *, language: str | None) -> str:
    """Texts of consecutive windows as one, with spaces between them where the language writes any."""
    space = "" if language in SPACELESS_LANGUAGES else " "
    return space.join(filter(None, (text.strip() for text in texts)))


def segments_of(windows: Iterable[HeardWindow], *, language: str | None, with_words: bool) -> tuple[Segment, ...]:
    """The segments of all windows by their start, with ids from 0."""
    pieces = [(piece, window) for window in windows if window.decoded is not None for piece in _pieces(window)]
    pieces.sort(key=lambda pair: (pair[0].start_seconds, pair[1].window.channel or 0))
    return tuple(
        _segment(number, piece, window, language=language, with_words=with_words)
        for number, (piece, window) in enumerate(pieces)
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    start_seconds: float
    end_seconds: float
    words: tuple[HeardWord, ...] | None


def _pieces(heard: HeardWindow) -> Iterator[_Piece]:
    if heard.decoded is None:
        return
    if not heard.words:
        text = heard.decoded.text.strip()
        yield _Piece(text, heard.window.start_seconds, heard.window.end_seconds, heard.words)
        return
    for words in _sentences(heard.words):
        text = "".join(word.text for word in words).strip()
        if text:
            yield _Piece(text, words[0].start_seconds, words[-1].end_seconds, tuple(words))


def _sentences(words: Sequence[HeardWord]) -> Iterator[list[HeardWord]]:
    held: list[HeardWord] = []
    for word in words:
        if held and _ends_before(held, word):
            yield held
            held = []
        held.append(word)
    if held:
        yield held


def _ends_before(held: Sequence[HeardWord], word: HeardWord) -> bool:
    last = held[-1]
    seconds = last.end_seconds - held[0].start_seconds
    pause = word.start_seconds - last.end_seconds
    if pause >= PAUSE_SECONDS or word.end_seconds - held[0].start_seconds > LONGEST_SECONDS:
        return True
    if not word.text.startswith(" ") and last.text[-1:].isascii() and last.text[-1:].isalnum():
        return False  # the middle of a word: hyphens, apostrophes
    if ends_sentence(last.text):
        return seconds >= SHORTEST_SECONDS
    return seconds >= LONG_SECONDS and last.text.rstrip().endswith(_COMMAS)


def _segment(number: int, piece: _Piece, heard: HeardWindow, *, language: str | None, with_words: bool) -> Segment:
    decoded = heard.decoded
    return Segment(
        id=number,
        start=round(piece.start_seconds, 3),
        end=round(piece.end_seconds, 3),
        text=piece.text,
        channel=heard.window.channel,
        language=language,
        avg_logprob=round(decoded.avg_logprob, 4) if decoded else None,
        compression_ratio=round(decoded.compression_ratio, 3) if decoded else None,
        no_speech_prob=round(decoded.no_speech_prob, 4) if decoded else None,
        flags=heard.flags,
        words=tuple(_word(word) for word in piece.words or ()) if with_words else None,
    )


def _word(word: HeardWord) -> Word:
    return Word(
        word=word.text,
        start=round(word.start_seconds, 3),
        end=round(word.end_seconds, 3),
        probability=round(word.probability, 4),
    )
