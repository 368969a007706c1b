"""Options of faster-whisper that are refused, each with the reason and what to use instead.

A job of Kascribe is decoded in windows that share batches with other jobs, and equal jobs have equal transcripts,
which are reused. An option that cannot be honoured under these conditions is refused by its name.
"""

from collections.abc import Collection
from typing import Final

from schemas.options.misspelling import NAME_CHARACTERS, did_you_mean

_NO_SAMPLING: Final = "nothing is sampled: see temperature"
_NO_TIMESTAMPS: Final = "text is decoded without Whisper's own timestamps; word_timestamps adds the times of words"
_INDEPENDENT: Final = "windows are decoded side by side, so none continues another; use initial_prompt or hotwords"
_WINDOWS: Final = "windows hold up to 30 seconds of speech; vad_parameters decides where speech is cut"

REFUSED_OPTIONS: Final = {
    "append_punctuations": "punctuation is joined with its word by fixed rules, faster-whisper's defaults",
    "batch_size": "batches are shared by all jobs; their size is the setting KASCRIBE_WHISPER_BATCH_SIZE",
    "best_of": _NO_SAMPLING,
    "chunk_length": _WINDOWS,
    "clip_timestamps": "the whole recording is transcribed; cut the file, or read the segments of that time",
    "condition_on_previous_text": _INDEPENDENT,
    "hallucination_silence_threshold": "silence is removed before decoding; raise threshold in vad_parameters, or "
    "lower no_speech_threshold",
    "language_detection_segments": "windows are examined until one is sure; language names the language",
    "language_detection_threshold": "a window decides when its probability is 0.5; language names the language",
    "log_progress": "progress is published on audio.progress",
    "max_initial_timestamp": _NO_TIMESTAMPS,
    "max_new_tokens": "a window with more text than the model's limit is decoded in halves, so no word is lost",
    "prepend_punctuations": "punctuation is joined with its word by fixed rules, faster-whisper's defaults",
    "prompt_reset_on_temperature": _INDEPENDENT,
    "vad_filter": "use vad",
    "without_timestamps": _NO_TIMESTAMPS,
}
"""Name, and the end of the sentence that begins with it."""


def why_unknown(name: str, known: Collection[str]) -> str:
    """Return why ``name`` is not an option and what to use instead: the end of a sentence about it."""
    shown = name[:NAME_CHARACTERS]
    refused = REFUSED_OPTIONS.get(shown.replace("-", "_"))
    return refused or did_you_mean(shown, known)
