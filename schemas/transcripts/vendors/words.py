"""Words of a transcript as other services give them: the punctuation apart, no word of zero length. Pure."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.transcripts.intervals import lengthen, milliseconds
from schemas.transcripts.transcript import Segment, Transcript, Word

_PART_OF_WORDS: Final = frozenset("%‰&@#*/\\'’°_")
"""Marks at the end of a word that are read aloud or belong to its spelling."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word with its times in seconds. ``marks`` is the punctuation after it; marks alone have no ``content``."""

    content: str
    marks: str
    start: float
    end: float
    probability: float

    @property
    def punctuated(self) -> str:
        """The word with its punctuation."""
        return f"{self.content}{self.marks}"


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """A segment with its times in seconds, its channel from 0, and its words; mixed audio is channel 0."""

    id: int
    text: str
    start: float
    end: float
    channel: int
    language: str | None
    words: tuple[SpokenWord, ...]

    @property
    def confidence(self) -> float:
        """The mean probability of the words; 0 without any."""
        return mean_probability(self.words)


def has_all_words(transcript: Transcript) -> bool:
    """Return whether every segment with text has the times of its words."""
    return all(segment.words is not None or not segment.text.strip() for segment in transcript.segments)


def is_split(transcript: Transcript) -> bool:
    """Return whether the channels were transcribed separately."""
    return any(segment.channel is not None for segment in transcript.segments)


def channel_count(transcript: Transcript) -> int:
    """Return the number of channels of the result: 1 for mixed audio."""
    if not is_split(transcript):
        return 1
    last = max(segment.channel or 0 for segment in transcript.segments)
    return max(last + 1, transcript.audio.channel_count)


def spoken_segments(transcript: Transcript) -> list[SpokenSegment]:
    """Return the segments with their words."""
    words = _words_by_channel(transcript.segments)
    times = _seconds(transcript.segments)
    return [
        SpokenSegment(
            id=segment.id,
            text=segment.text.strip(),
            start=start,
            end=end,
            channel=segment.channel or 0,
            language=segment.language,
            words=tuple(next(words[segment.channel]) for _ in segment.words or ()),
        )
        for segment, (start, end) in zip(transcript.segments, times, strict=True)
    ]


def mean_probability(words: Sequence[SpokenWord]) -> float:
    """Return the mean probability of words; 0 without any."""
    return sum(word.probability for word in words) / len(words) if words else 0.0


def split_marks(word: str) -> tuple[str, str]:
    """Split a word into its content and the punctuation after it. Opening marks stay with the content."""
    stripped = word.strip()
    end = len(stripped)
    while end and _is_mark(stripped[end - 1]):
        end -= 1
    return stripped[:end], stripped[end:]


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("P") and character not in _PART_OF_WORDS


def _words_by_channel(segments: Sequence[Segment]) -> dict[int | None, Iterator[SpokenWord]]:
    found: defaultdict[int | None, list[Word]] = defaultdict(list)
    for segment in segments:
        found[segment.channel].extend(segment.words or ())
    return {channel: iter(_spoken(words)) for channel, words in found.items()}


def _spoken(words: Sequence[Word]) -> list[SpokenWord]:
    return [
        SpokenWord(*split_marks(word.word), start, end, word.probability)
        for word, (start, end) in zip(words, _seconds(words), strict=True)
    ]


def _seconds(timed: Sequence[Segment] | Sequence[Word]) -> list[tuple[float, float]]:
    # A transcript stored by an earlier version may have words or segments of zero length.
    times = lengthen(milliseconds(one.start, one.end) for one in timed)
    return [(start / 1000, end / 1000) for start, end in times]
