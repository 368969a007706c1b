"""The words that the self-test model knows, and the positions of its tokens in Whisper's token order."""

from collections.abc import Mapping
from typing import Final

_ENGLISH: Final = """
zero one two three four five six seven eight nine
start stop record cancel confirm play hello thanks
"""
_KOREAN: Final = """
영 하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉
시작 정지 녹음 취소 확인 재생 안녕 고마워
"""
VOCABULARY: Final[Mapping[str, tuple[str, ...]]] = {
    "en": tuple(_ENGLISH.split()),
    "ko": tuple(_KOREAN.split()),
}
"""Digits first, then commands, in the same order in both languages: translation is by position. The Korean
digits are the native ones, which sound less similar than the Sino-Korean."""

# The order of the language tokens is part of the Whisper format.
_LANGUAGE_CODES: Final = """
en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs
ro da hu ta no th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk
br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu
am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su
"""
LANGUAGE_CODES: Final = tuple(_LANGUAGE_CODES.split())

VOCABULARY_SIZE: Final = 51_865
"""CTranslate2 considers a Whisper model multilingual if it has exactly this number of tokens."""

END_OF_TEXT: Final = 50_257
START_OF_TRANSCRIPT: Final = 50_258
FIRST_LANGUAGE: Final = 50_259
TRANSLATE: Final = 50_358
TRANSCRIBE: Final = 50_359
START_OF_LANGUAGE_MODEL: Final = 50_360
START_OF_PREVIOUS: Final = 50_361
NO_SPEECH: Final = 50_362
NO_TIMESTAMPS: Final = 50_363
FIRST_TIMESTAMP: Final = 50_364
TIMESTAMP_COUNT: Final = 1_501
TIMESTAMP_SECONDS: Final = 0.02

SAMPLING_RATE_HZ: Final = 16_000
MEL_BINS: Final = 80
WINDOW_SECONDS: Final = 30
ENCODER_FRAMES: Final = 1_500


def language_token(language: str) -> int:
    """Return the id of `<|language|>`. Raises ValueError for a code that Whisper does not have."""
    return FIRST_LANGUAGE + LANGUAGE_CODES.index(language)


def timestamp_token(seconds: float) -> int:
    """Return the id of the timestamp nearest to a time in the window; times outside are clamped to its edges."""
    return FIRST_TIMESTAMP + min(TIMESTAMP_COUNT - 1, max(0, round(seconds / TIMESTAMP_SECONDS)))


def special_tokens() -> tuple[str, ...]:
    """Return all tokens from `<|endoftext|>` on, in the order of their ids."""
    languages = [f"<|{code}|>" for code in LANGUAGE_CODES]
    timestamps = [f"<|{index * TIMESTAMP_SECONDS:.2f}|>" for index in range(TIMESTAMP_COUNT)]
    return (
        "<|endoftext|>",
        "<|startoftranscript|>",
        *languages,
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
        *timestamps,
    )
