"""How many tokens text costs here: exact where it matters, by a measured ratio where it is cheaper."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

SAMPLES: Final = 8
SAMPLE_CHARACTERS: Final = 1_500
_SAFETY: Final = 1.05


@dataclass(frozen=True, slots=True)
class Measure:
    """Token sizes by a ratio. At 1.0 token per byte nothing can be larger, and counting proves nothing more."""

    tokens_per_byte: float = 1.0
    bytes_per_character: float = 1.0

    def __call__(self, text: str) -> int:
        """Tokens of a text, rather too many than too few."""
        return math.ceil(len(text.encode()) * self.tokens_per_byte)

    @property
    def is_a_bound(self) -> bool:
        """Whether no text can have more tokens than this says."""
        return self.tokens_per_byte >= 1.0

    @property
    def tokens_per_character(self) -> float:
        """What a character of this language costs."""
        return self.tokens_per_byte * self.bytes_per_character


def samples_of(texts: Sequence[str]) -> list[str]:
    """Stretches from all over the texts, enough to see how they are tokenized."""
    step = max(len(texts) // SAMPLES, 1)
    return [text[:SAMPLE_CHARACTERS] for text in texts[::step][: SAMPLES * 2] if text.strip()]


def measured(samples: Iterable[str], counts: Iterable[int]) -> Measure:
    """The measure after samples were counted: of all of them together, or the worst when it is much worse."""
    pairs = [(len(sample.encode()), len(sample), count) for sample, count in zip(samples, counts, strict=True)]
    size_bytes = sum(pair[0] for pair in pairs)
    if not size_bytes:
        return Measure()
    ratio = max(sum(pair[2] for pair in pairs) / size_bytes, 0.8 * max(pair[2] / pair[0] for pair in pairs))
    return Measure(min(ratio * _SAFETY, 1.0), size_bytes / sum(pair[1] for pair in pairs))
