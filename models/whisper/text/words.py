"""Word times, from tokens and their alignment."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from models.media.speech.windows import TimeMap
from models.whisper.rows import Alignment
from models.whisper.text.loudness import LoudFrames, first_pause, last_pause, sounding_part

PREPENDED: Final = "\"'“¿([{-"
"""Punctuation that belongs to the word after it."""
APPENDED: Final = "\"'.。,，!！?？:：”)]}、"
"""Punctuation that belongs to the word before it."""
LONGEST_OVER_MEDIAN: Final = 2.0
"""A word next to a pause that is longer than this many median words includes the pause."""
MEDIAN_LIMIT_SECONDS: Final = 0.7
SHORTEST_SECONDS: Final = 0.04
"""Minimum length of a word, where its window has room: two alignment steps, one of them left if a span cuts it."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word as the tokenizer writes it, with its leading space; times in seconds of the original audio."""

    text: str
    start_seconds: float
    end_seconds: float
    probability: float


def time_words(
    counted: Sequence[tuple[str, int]], alignment: Alignment, times: TimeMap, *, loud: LoudFrames | None = None
) -> tuple[TimedWord, ...]:
    """Give words their times. ``counted`` holds each word's token count, in the order of the alignment.

    ``loud`` tells sound from pauses. Without it, a word that the alignment puts in two spans is in the one that
    holds its middle, and a long word at the start or end of a sentence is assumed to include a pause.
    """
    words: list[TimedWord] = []
    first = 0
    last_start = len(alignment.starts_seconds) - 1
    for text, tokens in counted:
        start = alignment.starts_seconds[min(first, last_start)]
        end = alignment.starts_seconds[min(first + tokens, last_start)]
        probabilities = alignment.probabilities[first : first + tokens]
        mean = sum(probabilities) / len(probabilities) if probabilities else 0.0
        words.append(TimedWord(text, start, end, min(1.0, mean)))
        first += tokens
    separate = _lengthen(_cut_pauses(_join_punctuation(words), loud), times.duration_seconds)
    return tuple(_to_original_time(word, times, loud) for word in separate)


def _join_punctuation(words: Sequence[TimedWord]) -> list[TimedWord]:
    """Join punctuation with the word that it belongs to."""
    joined: list[TimedWord] = []
    opening: TimedWord | None = None
    for word in words:
        bare = word.text.strip()
        if opening is not None:
            word = replace(word, text=opening.text + word.text, start_seconds=opening.start_seconds)  # noqa: PLW2901
            opening = None
        if bare and bare in PREPENDED and word.text.startswith(" "):
            opening = word
        elif joined and word.text in APPENDED and not joined[-1].text.endswith(" "):
            joined[-1] = replace(joined[-1], text=joined[-1].text + word.text)
        else:
            joined.append(word)
    return [*joined, opening] if opening is not None else joined


def _cut_pauses(words: list[TimedWord], loud: LoudFrames | None) -> list[TimedWord]:
    """Shorten words that include a pause: the first one, and those at the end or start of a sentence."""
    median = _median_seconds(words)
    if median is None:
        return words
    limit = LONGEST_OVER_MEDIAN * median
    shortened: list[TimedWord] = []
    after_sentence = True
    for word in words:
        too_long = word.end_seconds - word.start_seconds > limit
        if too_long and after_sentence:
            word = replace(word, start_seconds=_start_of_sound(word, limit, loud))  # noqa: PLW2901
        after_sentence = ends_sentence(word.text)
        if too_long and after_sentence and word.end_seconds - word.start_seconds > limit:
            word = replace(word, end_seconds=_end_of_sound(word, limit, loud))  # noqa: PLW2901
        shortened.append(word)
    return shortened


def _start_of_sound(word: TimedWord, limit: float, loud: LoudFrames | None) -> float:
    # Only a pause is cut: a long name is sound from its start to its end.
    latest = word.end_seconds - limit
    pause = latest if loud is None else last_pause(word.start_seconds, latest, loud)
    return word.start_seconds if pause is None else pause


def _end_of_sound(word: TimedWord, limit: float, loud: LoudFrames | None) -> float:
    earliest = word.start_seconds + limit
    pause = earliest if loud is None else first_pause(earliest, word.end_seconds, loud)
    return word.end_seconds if pause is None else pause


def _median_seconds(words: Sequence[TimedWord]) -> float | None:
    """Return the median length of the words that have a length; None where no word has."""
    lengths = sorted(
        word.end_seconds - word.start_seconds for word in words if word.end_seconds > word.start_seconds
    )
    return min(MEDIAN_LIMIT_SECONDS, lengths[len(lengths) // 2]) if lengths else None


def _lengthen(words: Sequence[TimedWord], duration_seconds: float) -> list[TimedWord]:
    """Order the words within the window and give each of them a length.

    The alignment gives several words the same instant where it cannot separate them, and times beyond the end of
    the window, since it works in whole seconds. They take the silence beside them, else time of a neighbour.
    """
    if not words:
        return []
    typical = _median_seconds(words) or MEDIAN_LIMIT_SECONDS
    shortest = min(SHORTEST_SECONDS, duration_seconds / len(words))
    timed: list[tuple[float, float]] = []
    reached = 0.0
    for word in words:
        start = min(max(word.start_seconds, reached), duration_seconds)
        reached = min(max(word.end_seconds, start), duration_seconds)
        timed.append((start, reached))
    timed = _enforce_shortest(_spread(timed, typical, duration_seconds), shortest, duration_seconds)
    return [
        replace(word, start_seconds=start, end_seconds=end)
        for word, (start, end) in zip(words, timed, strict=True)
    ]


def _spread(timed: Sequence[tuple[float, float]], typical: float, until: float) -> list[tuple[float, float]]:
    """Give each run of zero-length words the silence after it, then the silence before it, as far as needed."""
    spread: list[tuple[float, float]] = []
    place = 0
    for instant, run in itertools.groupby(timed, key=lambda times: times[1] == times[0]):
        count = len(list(run))
        place += count
        if not instant:
            spread.extend(timed[place - count : place])
            continue
        first, last = timed[place - count][0], timed[place - 1][0]
        before = spread[-1][1] if spread else 0.0
        after = timed[place][0] if place < len(timed) else until
        end = min(after, max(last, first + count * typical))
        start = max(before, min(first, end - count * typical))
        step = (end - start) / count
        spread.extend((start + number * step, start + (number + 1) * step) for number in range(count))
    return spread


def _enforce_shortest(
    timed: Sequence[tuple[float, float]], shortest: float, until: float
) -> list[tuple[float, float]]:
    """Move times later, then earlier, until every word is ``shortest`` long; words with room keep their times."""
    later: list[tuple[float, float]] = []
    reached = 0.0
    for start, end in timed:
        start = max(start, reached)  # noqa: PLW2901
        reached = max(end, start + shortest)
        later.append((start, reached))
    earlier: list[tuple[float, float]] = []
    for start, end in reversed(later):
        until = min(end, until)
        earlier.append((min(start, until - shortest), until))
        until = earlier[-1][0]
    return earlier[::-1]


def _to_original_time(word: TimedWord, times: TimeMap, loud: LoudFrames | None) -> TimedWord:
    # The alignment lets a word begin in the silence before it, which at a joint is the end of another span.
    joints = [joint for joint in times.joints_seconds if word.start_seconds < joint < word.end_seconds]
    inside = None
    if joints and loud is not None:
        inside = sounding_part([word.start_seconds, *joints, word.end_seconds], loud)
    start, end = times.interval(word.start_seconds, word.end_seconds, inside_seconds=inside)
    return replace(word, start_seconds=start, end_seconds=end)


def ends_sentence(text: str) -> bool:
    """Return whether a word ends a sentence."""
    return text.rstrip("\"'”)]} ").endswith((".", "。", "!", "！", "?", "？", "…"))
