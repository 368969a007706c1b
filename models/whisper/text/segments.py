"""Segments of a transcript, built from the results of its windows.

Text is decoded without Whisper's own timestamps, which cost speed and words. A short window of one span is one
segment, timed by the voice detector. The words of a longer window are aligned, and its segments end with
sentences, at pauses, or where they would be too long for subtitles.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from models.media.speech.windows import Window
from models.whisper.gate import Decoded
from models.whisper.text.words import TimedWord, ends_sentence
from schemas.transcripts.intervals import Interval, lengthen, milliseconds
from schemas.transcripts.transcript import QualityFlag, Segment, Word

PAUSE_SECONDS: Final = 0.6
"""Silence between words at which a segment ends."""
SHORTEST_SECONDS: Final = 1.0
"""A sentence shorter than this is joined with the next one."""
LONG_SECONDS: Final = 7.0
"""Length from which a comma ends a segment."""
LONGEST_SECONDS: Final = 12.0
"""Length at which a segment ends anywhere."""
UNALIGNED_SECONDS: Final = 5.0
"""A window of one span up to this length is timed well enough without alignment."""
_COMMAS: Final = (",", "，", "、", ";", "；", ":", "：")


@dataclass(frozen=True, slots=True)
class WindowResult:
    """The final result of a window; ``decoded`` is None where it holds no speech.

    ``language`` is that of its text; None where all windows have the same one.
    """

    window: Window
    decoded: Decoded | None
    flags: tuple[QualityFlag, ...] = ()
    words: tuple[TimedWord, ...] | None = None
    language: str | None = None


def needs_alignment(window: Window) -> bool:
    """Return whether the voice detector's times are too coarse for this window."""
    return len(window.spans) > 1 or window.duration_seconds > UNALIGNED_SECONDS


def segments_of(results: Iterable[WindowResult], *, language: str | None, with_words: bool) -> tuple[Segment, ...]:
    """Return the segments of all windows, ordered by start, with ids from 0.

    ``language`` is for the windows that have none of their own.
    """
    drafts = _separate([draft for result in results for draft in _drafts(result)])
    drafts.sort(key=lambda draft: (draft.times[0][0], draft.result.window.channel or 0))
    return tuple(
        _segment(number, draft, language=language, with_words=with_words) for number, draft in enumerate(drafts)
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A segment before it has its id. ``times`` has an interval per word, or one where there are no words."""

    result: WindowResult
    text: str
    times: tuple[Interval, ...]
    words: tuple[TimedWord, ...] = ()


def _drafts(result: WindowResult) -> Iterator[_Draft]:
    if result.decoded is None:
        return
    if not result.words:
        text = result.decoded.text.strip()
        yield _Draft(result, text, (milliseconds(result.window.start_seconds, result.window.end_seconds),))
        return
    for words in _sentences(result.words):
        text = "".join(word.text for word in words).strip()
        if text:
            times = tuple(milliseconds(word.start_seconds, word.end_seconds) for word in words)
            yield _Draft(result, text, times, tuple(words))


def _separate(drafts: Iterable[_Draft]) -> list[_Draft]:
    """Adjust times within each channel, so that neither a draft nor a word has zero length."""
    separated: list[_Draft] = []
    channels: defaultdict[int | None, list[_Draft]] = defaultdict(list)
    for draft in drafts:
        channels[draft.result.window.channel].append(draft)
    for of_channel in channels.values():
        times = iter(lengthen(interval for draft in of_channel for interval in draft.times))
        separated.extend(replace(draft, times=tuple(islice(times, len(draft.times)))) for draft in of_channel)
    return separated


def _sentences(words: Sequence[TimedWord]) -> Iterator[list[TimedWord]]:
    sentence: list[TimedWord] = []
    for word in words:
        if sentence and _ends_before(sentence, word):
            yield sentence
            sentence = []
        sentence.append(word)
    if sentence:
        yield sentence


def _ends_before(sentence: Sequence[TimedWord], word: TimedWord) -> bool:
    last = sentence[-1]
    seconds = last.end_seconds - sentence[0].start_seconds
    pause = word.start_seconds - last.end_seconds
    if pause >= PAUSE_SECONDS or word.end_seconds - sentence[0].start_seconds > LONGEST_SECONDS:
        return True
    if not word.text.startswith(" ") and last.text[-1:].isascii() and last.text[-1:].isalnum():
        return False  # the middle of a word: hyphens, apostrophes
    if ends_sentence(last.text):
        return seconds >= SHORTEST_SECONDS
    return seconds >= LONG_SECONDS and last.text.rstrip().endswith(_COMMAS)


def _segment(number: int, draft: _Draft, *, language: str | None, with_words: bool) -> Segment:
    decoded = draft.result.decoded
    return Segment(
        id=number,
        start=draft.times[0][0] / 1000,
        end=draft.times[-1][1] / 1000,
        text=draft.text,
        channel=draft.result.window.channel,
        language=draft.result.language or language,
        avg_logprob=round(decoded.avg_logprob, 4) if decoded else None,
        compression_ratio=round(decoded.compression_ratio, 3) if decoded else None,
        no_speech_prob=round(decoded.no_speech_prob, 4) if decoded else None,
        flags=draft.result.flags,
        words=tuple(map(_word, draft.words, draft.times)) if with_words else None,
    )


def _word(word: TimedWord, times: Interval) -> Word:
    return Word(word=word.text, start=times[0] / 1000, end=times[1] / 1000, probability=round(word.probability, 4))
