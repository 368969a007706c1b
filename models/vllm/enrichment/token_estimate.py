"""Estimated tokens of texts, by a ratio that is calibrated with counted samples."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

SAMPLES: Final = 8
SAMPLE_CHARACTERS: Final = 1_500
_SAFETY: Final = 1.05


@dataclass(frozen=True, slots=True)
class TokenEstimate:
    """Tokens of a text by its bytes. At 1.0 token per byte it is an upper bound, so counting is unnecessary."""

    tokens_per_byte: float = 1.0
    bytes_per_character: float = 1.0

    def __call__(self, text: str) -> int:
        """Return the tokens of a text, estimated high rather than low."""
        return math.ceil(len(text.encode()) * self.tokens_per_byte)

    @property
    def is_a_bound(self) -> bool:
        """True when no text can have more tokens than estimated."""
        return self.tokens_per_byte >= 1.0

    @property
    def tokens_per_character(self) -> float:
        """Tokens of an average character of the samples."""
        return self.tokens_per_byte * self.bytes_per_character


def samples_of(texts: Sequence[str]) -> list[str]:
    """Return samples from all over the texts, enough to estimate how they are tokenized."""
    step = max(len(texts) // SAMPLES, 1)
    return [text[:SAMPLE_CHARACTERS] for text in texts[::step][: SAMPLES * 2] if text.strip()]


def estimate_from(samples: Iterable[str], counts: Iterable[int]) -> TokenEstimate:
    """Return the estimate that counted samples give: their overall ratio, or 0.8 of the worst if that is more."""
    pairs = [(len(sample.encode()), len(sample), count) for sample, count in zip(samples, counts, strict=True)]
    size_bytes = sum(pair[0] for pair in pairs)
    if not size_bytes:
        return TokenEstimate()
    ratio = max(sum(pair[2] for pair in pairs) / size_bytes, 0.8 * max(pair[2] / pair[0] for pair in pairs))
    return TokenEstimate(min(ratio * _SAFETY, 1.0), size_bytes / sum(pair[1] for pair in pairs))
