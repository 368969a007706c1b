"""Words with times, from tokens and their alignment."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.media.speech.windows import TimeMap
from models.whisper.rows import Alignment

PREPENDED = "\"'“¿([{-"
"""Punctuation that belongs to the word after it."""
APPENDED = "\"'.。,，!！?？:：”)]}、"
"""Punctuation that belongs to the word before it."""
LONGEST_OVER_MEDIAN = 2.0
"""A word at a pause that is longer than this many median words has swallowed the pause."""
MEDIAN_LIMIT_SECONDS = 0.7
SHORTEST_SECONDS = 0.04
"""Of a word, where its window has room: two steps of the alignment, one of them left if a span cuts it in two."""


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word as the tokenizer writes it, leading space kept; seconds of the original audio."""

    text: str
    start_seconds: float
    end_seconds: float
    probability: float


def heard_words(counted: Sequence[tuple[str, int]], alignment: Alignment, times: TimeMap) -> tuple[HeardWord, ...]:
    """Words with times. ``counted`` gives each word's count of tokens, in the order of the alignment."""
    words: list[HeardWord] = []
    first = 0
    last_start = len(alignment.starts_seconds) - 1
    for text, tokens in counted:
        start = alignment.starts_seconds[min(first, last_start)]
        end = alignment.starts_seconds[min(first + tokens, last_start)]
        probabilities = alignment.probabilities[first : first + tokens]
        mean = sum(probabilities) / len(probabilities) if probabilities else 0.0
        words.append(HeardWord(text, start, end, min(1.0, mean)))
        first += tokens
    lasting = _lasting(_without_pauses(_joined(words)), times.duration_seconds)
    return tuple(_placed(word, times) for word in lasting)


def _joined(words: Sequence[HeardWord]) -> list[HeardWord]:
    """Puts punctuation with the word it belongs to."""
    joined: list[HeardWord] = []
    opening: HeardWord | None = None
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


def _without_pauses(words: list[HeardWord]) -> list[HeardWord]:
    """Shortens the first word, and those at the end of a sentence, that took a pause in."""
    median = _median_seconds(words)
    if median is None:
        return words
    limit = LONGEST_OVER_MEDIAN * median
    shortened: list[HeardWord] = []
    after_sentence = True
    for word in words:
        too_long = word.end_seconds - word.start_seconds > limit
        if too_long and after_sentence:
            word = replace(word, start_seconds=word.end_seconds - limit)  # noqa: PLW2901
        after_sentence = ends_sentence(word.text)
        if too_long and after_sentence:
            word = replace(word, end_seconds=min(word.end_seconds, word.start_seconds + limit))  # noqa: PLW2901
        shortened.append(word)
    return shortened


def _median_seconds(words: Sequence[HeardWord]) -> float | None:
    """Of the words that have a length; None where none has."""
    lengths = sorted(
        word.end_seconds - word.start_seconds for word in words if word.end_seconds > word.start_seconds
    )
    return min(MEDIAN_LIMIT_SECONDS, lengths[len(lengths) // 2]) if lengths else None


def _lasting(words: Sequence[HeardWord], duration_seconds: float) -> list[HeardWord]:
    """The words in order within the window, every one of some length.

    The alignment gives several words one instant where it cannot tell them apart, and times beyond the end of the
    window, since it works in whole seconds. Such words take the silence beside them, else a moment of a neighbour.
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
    timed = _without_crowding(_spread(timed, typical, duration_seconds), shortest, duration_seconds)
    return [
        replace(word, start_seconds=start, end_seconds=end)
        for word, (start, end) in zip(words, timed, strict=True)
    ]


def _spread(timed: Sequence[tuple[float, float]], typical: float, until: float) -> list[tuple[float, float]]:
    """Gives each run of words without length the silence after it, then that before it, as far as it needs any."""
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


def _without_crowding(
    timed: Sequence[tuple[float, float]], shortest: float, until: float
) -> list[tuple[float, float]]:
    """Pushes times later, then earlier, until every word is ``shortest`` long; what has room stays where it is."""
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


def _placed(word: HeardWord, times: TimeMap) -> HeardWord:
    start, end = times.interval(word.start_seconds, word.end_seconds)
    return replace(word, start_seconds=start, end_seconds=end)


def ends_sentence(text: str) -> bool:
    """Whether a word closes a sentence."""
    return text.rstrip("\"'”)]} ").endswith((".", "。", "!", "！", "?", "？", "…"))
