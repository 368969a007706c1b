"""Words with times, from tokens and their alignment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.media.windows import TimeMap
from models.whisper.rows import Alignment

PREPENDED = "\"'“¿([{-"
"""Punctuation that belongs to the word after it."""
APPENDED = "\"'.。,，!！?？:：”)]}、"
"""Punctuation that belongs to the word before it."""
LONGEST_OVER_MEDIAN = 2.0
"""A word at a pause that is longer than this many median words has swallowed the pause."""
MEDIAN_LIMIT_SECONDS = 0.7


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
    return tuple(_placed(word, times) for word in _without_pauses(_joined(words)))


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
    lengths = sorted(
        word.end_seconds - word.start_seconds for word in words if word.end_seconds > word.start_seconds
    )
    if not lengths:
        return words
    limit = LONGEST_OVER_MEDIAN * min(MEDIAN_LIMIT_SECONDS, lengths[len(lengths) // 2])
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


def _placed(word: HeardWord, times: TimeMap) -> HeardWord:
    start, end = times.interval(word.start_seconds, word.end_seconds)
    return replace(word, start_seconds=start, end_seconds=end)


def ends_sentence(text: str) -> bool:
    """Whether a word closes a sentence."""
    return text.rstrip("\"'”)]} ").endswith((".", "。", "!", "！", "?", "？", "…"))
