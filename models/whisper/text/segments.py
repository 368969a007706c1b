"""From what windows decoded to, to the segments that people read.

Text is decoded without Whisper's own timestamps, which cost speed and words. A short window of one span is one
segment, timed by the voice detector; of a longer one the words are aligned, and segments end with sentences,
at pauses, or where they grow longer than a reader of subtitles likes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from models.media.speech.windows import Window
from models.whisper.gate import Decoded
from models.whisper.text.words import HeardWord, ends_sentence
from schemas.transcripts.intervals import Interval, lasting, milliseconds
from schemas.transcripts.transcript import QualityFlag, Segment, Word

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


def segments_of(windows: Iterable[HeardWindow], *, language: str | None, with_words: bool) -> tuple[Segment, ...]:
    """The segments of all windows by their start, with ids from 0."""
    pieces = _timed([piece for window in windows for piece in _pieces(window)])
    pieces.sort(key=lambda piece: (piece.times[0][0], piece.heard.window.channel or 0))
    return tuple(
        _segment(number, piece, language=language, with_words=with_words) for number, piece in enumerate(pieces)
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """What becomes a segment. ``times`` has an interval per word; one where there are none."""

    heard: HeardWindow
    text: str
    times: tuple[Interval, ...]
    words: tuple[HeardWord, ...] = ()


def _pieces(heard: HeardWindow) -> Iterator[_Piece]:
    if heard.decoded is None:
        return
    if not heard.words:
        text = heard.decoded.text.strip()
        yield _Piece(heard, text, (milliseconds(heard.window.start_seconds, heard.window.end_seconds),))
        return
    for words in _sentences(heard.words):
        text = "".join(word.text for word in words).strip()
        if text:
            times = tuple(milliseconds(word.start_seconds, word.end_seconds) for word in words)
            yield _Piece(heard, text, times, tuple(words))


def _timed(pieces: Iterable[_Piece]) -> list[_Piece]:
    """The pieces of each channel one after the other, none of them and no word without length."""
    timed: list[_Piece] = []
    channels: defaultdict[int | None, list[_Piece]] = defaultdict(list)
    for piece in pieces:
        channels[piece.heard.window.channel].append(piece)
    for of_channel in channels.values():
        times = iter(lasting(interval for piece in of_channel for interval in piece.times))
        timed.extend(replace(piece, times=tuple(islice(times, len(piece.times)))) for piece in of_channel)
    return timed


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


def _segment(number: int, piece: _Piece, *, language: str | None, with_words: bool) -> Segment:
    decoded = piece.heard.decoded
    return Segment(
        id=number,
        start=piece.times[0][0] / 1000,
        end=piece.times[-1][1] / 1000,
        text=piece.text,
        channel=piece.heard.window.channel,
        language=language,
        avg_logprob=round(decoded.avg_logprob, 4) if decoded else None,
        compression_ratio=round(decoded.compression_ratio, 3) if decoded else None,
        no_speech_prob=round(decoded.no_speech_prob, 4) if decoded else None,
        flags=piece.heard.flags,
        words=tuple(map(_word, piece.words, piece.times)) if with_words else None,
    )


def _word(word: HeardWord, times: Interval) -> Word:
    return Word(word=word.text, start=times[0] / 1000, end=times[1] / 1000, probability=round(word.probability, 4))
