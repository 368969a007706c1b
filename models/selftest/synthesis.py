"""Speech for training and for tests, synthesised by espeak-ng (the Debian package of that name).

Every call starts one `espeak-ng` process and blocks until it ends (about ten milliseconds a word).
"""

import random
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.selftest.vocabulary import SAMPLING_RATE_HZ, VOCABULARY

Audio = NDArray[np.float32]

ESPEAK_TIMEOUT_SECONDS: Final = 30
ESPEAK_SAMPLING_RATE_HZ: Final = 22_050
WAVE_HEADER_BYTES: Final = 44

TRAINING_VOICES: Final = {
    "en": (
        "en-us",
        "en-us",
        "en-gb",
        "en-gb",
        "en-gb-scotland",
        "en-gb-x-gbclan",
        "en-gb-x-gbcwmd",
        "en-029",
        "en-us-nyc",
    ),
    "ko": ("ko",),
}
HELD_OUT_VOICES: Final = {"en": ("en-us", "en-gb", "en-gb-x-rp"), "ko": ("ko",)}

_HELD_OUT_VARIANTS: Final = "anika aunty Denis f4 linda m5 Mario michel norbert paul quincy travis"
HELD_OUT_VARIANTS: Final = tuple(_HELD_OUT_VARIANTS.split())
_TRAINING_VARIANTS: Final = """
adam Alex Alicia Andrea Andy Annie antonio belinda benjamin boris caleb david Diogo ed edward edward2 Gene
Gene2 gustave announcer Henrique Hugo iven iven2 iven3 iven4 Jacky john kaukovalta Lee marcelo Marco max
Michael miguel Mike Mr Nguyen pablo pedro RicishayMax RicishayMax2 RicishayMax3 rob robert robosoft robosoft2
robosoft4 steph steph2 steph3 Tweaky UniRobot zac AnxiousAndy f1 f2 f3 f5 grandma grandpa klatt klatt2 klatt3
klatt4 m1 m2 m3 m4 m6 m7 m8 sandro shelby victor croak
"""
TRAINING_VARIANTS: Final = (*_TRAINING_VARIANTS.split(), *[""] * 6)
"""The empty name is the unmodified voice. Neither list has whispering or demonic variants, or a robot version of
a held-out one."""


@dataclass(frozen=True)
class Speaker:
    """One way of speaking: an espeak-ng voice, a variant of it, a rate, a pitch (0 to 99), a gap between words."""

    voice: str
    variant: str
    rate_words_per_minute: int
    pitch: int
    word_gap_10_milliseconds: int = 0


def training_speaker(language: str, rng: random.Random) -> Speaker:
    """Draw a speaker for training: even rates and pitches only, so that it is never a held-out one."""
    return Speaker(
        voice=rng.choice(TRAINING_VOICES[language]),
        variant=rng.choice(TRAINING_VARIANTS),
        rate_words_per_minute=2 * rng.randint(45, 115),
        pitch=2 * rng.randint(8, 45),
        word_gap_10_milliseconds=rng.choice((0, 0, 0, 1, 2, 5, 12)),
    )


def held_out_speaker(language: str, rng: random.Random) -> Speaker:
    """Draw a speaker for tests: variants that training does not use, odd rates and pitches."""
    return Speaker(
        voice=rng.choice(HELD_OUT_VOICES[language]),
        variant=rng.choice(HELD_OUT_VARIANTS),
        rate_words_per_minute=2 * rng.randint(55, 97) + 1,
        pitch=2 * rng.randint(12, 37) + 1,
        word_gap_10_milliseconds=rng.choice((0, 0, 1, 3)),
    )


def available() -> bool:
    """Return whether espeak-ng is installed."""
    return shutil.which("espeak-ng") is not None


def speak(text: str, speaker: Speaker) -> Audio:
    """Synthesise mono speech at 16 kHz, without silence at its ends.

    Raises OSError, CalledProcessError or TimeoutExpired.
    """
    voice = f"{speaker.voice}+{speaker.variant}" if speaker.variant else speaker.voice
    command = [
        "espeak-ng",
        "--stdout",
        "-v",
        voice,
        "-s",
        str(speaker.rate_words_per_minute),
        "-p",
        str(speaker.pitch),
    ]
    command += ["-g", str(speaker.word_gap_10_milliseconds), "--", text]
    wave = subprocess.run(command, capture_output=True, check=True, timeout=ESPEAK_TIMEOUT_SECONDS).stdout
    integers = np.frombuffer(wave[WAVE_HEADER_BYTES : len(wave) - len(wave) % 2], dtype="<i2")
    samples = integers.astype(np.float32) / np.float32(32_768)
    return trim(resample(samples, ESPEAK_SAMPLING_RATE_HZ, SAMPLING_RATE_HZ))


def resample(samples: Audio, from_hz: float, to_hz: float) -> Audio:
    """Resample a sound, band-limited, by cutting or extending its spectrum."""
    count = round(len(samples) * to_hz / from_hz)
    if count < 2 or len(samples) < 2:
        return np.zeros(0, np.float32)
    spectrum = np.fft.rfft(samples)
    bins = count // 2 + 1
    resized = np.zeros(bins, spectrum.dtype)
    kept = min(bins, len(spectrum))
    resized[:kept] = spectrum[:kept]
    return (np.fft.irfft(resized, n=count) * (count / len(samples))).astype(np.float32)


def trim(samples: Audio, *, threshold: float = 0.01, margin_samples: int = 320) -> Audio:
    """Cut both ends where they stay under a share of the peak."""
    peak = float(np.abs(samples).max(initial=0.0))
    loud = np.flatnonzero(np.abs(samples) > threshold * peak) if peak > 0 else np.zeros(0, np.int64)
    if len(loud) == 0:
        return samples[:0]
    return samples[max(0, int(loud[0]) - margin_samples) : int(loud[-1]) + margin_samples]


def random_words(language: str, count: int, rng: random.Random) -> tuple[str, ...]:
    """Draw words of one language, with replacement."""
    return tuple(rng.choice(VOCABULARY[language]) for _ in range(count))
