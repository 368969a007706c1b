"""A transcript, read once for all results that are compared with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.vllm.doubts.citations import SpokenUnits
from models.vllm.doubts.dates import SpokenDates, date_mentions
from models.vllm.doubts.names import SpokenWords
from models.vllm.doubts.numbers import SpokenNumbers
from models.vllm.doubts.orders import spoken_order
from models.vllm.doubts.times import TimeMention, time_mentions
from models.vllm.doubts.words import fold, tokens, without_mentions
from schemas.transcripts.transcript import Segment


@dataclass(frozen=True, slots=True)
class Material:
    """What a transcript contains. ``undated`` are its numbers that belong to no date; ``orders`` the segments that
    are shaped like orders to the model, by id, with the words that are."""

    words: SpokenWords
    units: SpokenUnits
    numbers: SpokenNumbers
    undated: frozenset[float]
    dates: SpokenDates
    times: tuple[TimeMention, ...]
    orders: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> "Material":
        """Read segments. Takes time in proportion to their length."""
        folded = [(segment.id, fold(segment.text)) for segment in segments]
        text = " ".join(one for _, one in folded)
        dates, times = date_mentions(text), time_mentions(text)
        calendar = [one for one in dates if one.month]
        undated = SpokenNumbers.of(without_mentions(text, calendar))
        dated = SpokenNumbers.of(" , ".join(one.text for one in calendar))
        parts = (float(part) for one in calendar for part in (one.month, one.day) if part)
        numbers = undated.with_values((*dated.values, *parts, *(float(one.hour) for one in times)))
        orders = tuple((number, order) for number, one in folded if (order := spoken_order(one)))
        tokened = [(number, list(tokens(one))) for number, one in folded]
        words = SpokenWords.of(text, [word for _, found in tokened for word in found])
        units = SpokenUnits.of(tokened, words.script)
        return cls(words, units, numbers, undated.values, SpokenDates.of(dates), tuple(times), orders)
