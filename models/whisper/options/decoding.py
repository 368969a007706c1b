"""From the options of a job to the search for its texts, and to the thresholds that judge them."""

from typing import Any, Final

from models.whisper.gate import Search, Thresholds
from schemas.options import TranscribeOptions

_SEARCH: Final = {
    "penalty": "repetition_penalty",
    "patience": "patience",
    "length_penalty": "length_penalty",
    "no_repeat_ngram_size": "no_repeat_ngram_size",
    "suppress_tokens": "suppress_tokens",
    "suppress_blank": "suppress_blank",
}
_THRESHOLDS: Final = {
    "compression_ratio": "compression_ratio_threshold",
    "log_probability": "log_prob_threshold",
    "no_speech": "no_speech_threshold",
}


def search_of(options: TranscribeOptions) -> Search:
    """Return the first search of each window."""
    return Search(options.beam_size, **_given(options, _SEARCH))


def thresholds_of(options: TranscribeOptions) -> Thresholds:
    """Return the thresholds of the gate."""
    return Thresholds(**_given(options, _THRESHOLDS))


def _given(options: TranscribeOptions, names: dict[str, str]) -> dict[str, Any]:
    """Return the options that are set, by our names; the others keep our defaults."""
    values = {ours: getattr(options, option) for ours, option in names.items()}
    return {name: value for name, value in values.items() if value is not None}
