"""The options of decoding as forms and commands write them, and what they mean."""

from typing import Any, Final

DECODING_WRITTEN: Final = {
    "vad": "true",
    "patience": "2",
    "length_penalty": "0.5",
    "repetition_penalty": "1.1",
    "no_repeat_ngram_size": "3",
    "suppress_tokens": "-1,11",
    "suppress_blank": "false",
    "prefix": "So",
    "temperature": "0",
    "compression_ratio_threshold": "2",
    "log_prob_threshold": "-0.5",
    "no_speech_threshold": "0.7",
}
"""By name, all but ``vad_parameters``, which has two written forms."""
DECODING_MEANT: Final[dict[str, Any]] = {
    "vad": True,
    "patience": 2,
    "length_penalty": 0.5,
    "repetition_penalty": 1.1,
    "no_repeat_ngram_size": 3,
    "suppress_tokens": (-1, 11),
    "suppress_blank": False,
    "prefix": "So",
    "compression_ratio_threshold": 2,
    "log_prob_threshold": -0.5,
    "no_speech_threshold": 0.7,
}
"""The same as values; a temperature of 0 is the default and stays unset."""
