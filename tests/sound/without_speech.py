"""Sounds without a word: silence, noise, music, machines, tones. A number gives the same sound everywhere."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tests.sound.recordings import SAMPLE_RATE_HERTZ, Sound

SHORTEST_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 45.0
LOUDEST: Final = 0.9

_DTMF_HERTZ: Final = tuple((low, high) for low in (697, 770, 852, 941) for high in (1209, 1336, 1477))
_SCALE: Final = (0, 2, 4, 5, 7, 9, 11, 12)
_CHORDS: Final = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 11), (0, 5, 9))
_FORMANTS_HERTZ: Final = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))

Wave = NDArray[np.float64]
Make = Callable[[Generator, int], Wave]
"""Makes a sound of a number of samples."""


def sounds(count: int) -> Iterator[tuple[str, Sound]]:
    """Yield the first sounds with their names, 16 kHz mono: the kinds in turn, each in many lengths and levels."""
    kinds = list(KINDS)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        yield f"{number:03}-{kind}", sound(kind, number)


def sound(kind: str, seed: int) -> Sound:
    """Return one sound of a kind, 2 to 45 s long; half of the lengths are under 10 s."""
    chance = np.random.default_rng(seed)
    seconds = SHORTEST_SECONDS * (LONGEST_SECONDS / SHORTEST_SECONDS) ** chance.random()
    made = KINDS[kind](chance, round(seconds * SAMPLE_RATE_HERTZ))
    level = 10 ** chance.uniform(-1.5, -0.1)
    peak = np.abs(made).max()
    scaled = made * (level / peak) if peak > 0 else made
    return np.clip(scaled, -LOUDEST, LOUDEST).astype(np.float32)


def _silence(_: Generator, samples: int) -> Wave:
    """Return zeros, as a muted line gives them."""
    return np.zeros(samples)


def _white(chance: Generator, samples: int) -> Wave:
    return chance.standard_normal(samples)


def _coloured(chance: Generator, samples: int, exponent: float) -> Wave:
    """Make noise whose power falls with the frequency to the power of ``exponent``."""
    spectrum = np.fft.rfft(chance.standard_normal(samples))
    frequencies = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HERTZ), 20)
    return np.fft.irfft(spectrum / frequencies ** (exponent / 2), samples)


def _pink(chance: Generator, samples: int) -> Wave:
    return _coloured(chance, samples, 1)


def _brown(chance: Generator, samples: int) -> Wave:
    return _coloured(chance, samples, 2)


def _wind(chance: Generator, samples: int) -> Wave:
    knots = np.arange(0, samples + 8_000, 8_000)
    gusts = np.interp(np.arange(samples), knots, chance.random(len(knots)))
    return _coloured(chance, samples, 2.5) * gusts**2


def _note(hertz: float, samples: int, *, decay: float, harmonics: int = 4) -> Wave:
    at = np.arange(samples) / SAMPLE_RATE_HERTZ
    tone = sum((np.sin(2 * np.pi * hertz * k * at) / k**1.5 for k in range(1, harmonics + 1)), np.zeros(samples))
    return tone * np.exp(-decay * at)


def _in_turn(samples: int, piece: Callable[[], tuple[Wave, int]]) -> Wave:
    """Put pieces one after the other; each piece says how many samples later the next one begins."""
    made = np.zeros(samples)
    at = 0
    while at < samples:
        wave, step = piece()
        end = min(samples, at + len(wave))
        made[at:end] += wave[: end - at]
        at += step
    return made


def _hertz(half_tones: float) -> float:
    return 220.0 * 2 ** (half_tones / 12)


def _chords(chance: Generator, samples: int) -> Wave:
    def piece() -> tuple[Wave, int]:
        root, length = int(chance.integers(-12, 12)), int(chance.uniform(0.5, 2) * SAMPLE_RATE_HERTZ)
        chord = _CHORDS[chance.integers(len(_CHORDS))]
        notes = [_note(_hertz(root + step), length, decay=1) for step in chord]
        return np.sum(notes, axis=0), length

    return _in_turn(samples, piece)


def _melody(chance: Generator, samples: int) -> Wave:
    beat = int(chance.uniform(0.15, 0.5) * SAMPLE_RATE_HERTZ)

    def piece() -> tuple[Wave, int]:
        step = _SCALE[chance.integers(len(_SCALE))] + 12 * int(chance.integers(0, 2))
        return _note(_hertz(step), 2 * beat, decay=4), beat * int(chance.integers(1, 3))

    return _in_turn(samples, piece)


def _hum(chance: Generator, samples: int) -> Wave:
    return _note(float(chance.choice([50, 60, 100, 120])), samples, decay=0, harmonics=8) + 0.02 * _white(
        chance, samples
    )


def _clicks(chance: Generator, samples: int) -> Wave:
    made = 0.002 * _white(chance, samples)
    made[chance.integers(0, samples, max(3, samples // 4_000))] += 1
    return made


def _dtmf(chance: Generator, samples: int) -> Wave:
    length = int(chance.uniform(0.08, 0.3) * SAMPLE_RATE_HERTZ)

    def piece() -> tuple[Wave, int]:
        low, high = _DTMF_HERTZ[chance.integers(len(_DTMF_HERTZ))]
        tone = _note(low, length, decay=0, harmonics=1) + _note(high, length, decay=0, harmonics=1)
        return tone, length + int(chance.uniform(0.05, 0.4) * SAMPLE_RATE_HERTZ)

    return _in_turn(samples, piece)


def _glides(chance: Generator, samples: int) -> Wave:
    """Make a buzz whose pitch and resonances glide as those of a voice do, without a syllable."""
    places = max(2, samples // 12_000)
    knots = np.linspace(0, samples, places)
    pitch = np.interp(np.arange(samples), knots, chance.uniform(90, 260, places))
    buzz = 2 * (np.cumsum(pitch / SAMPLE_RATE_HERTZ) % 1) - 1
    spectrum = np.fft.rfft(buzz)
    frequencies = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HERTZ)
    vowels = [
        np.fft.irfft(spectrum * sum(np.exp(-(((frequencies - f) / 120) ** 2)) for f in formants), samples)
        for formants in _FORMANTS_HERTZ
    ]
    weights = [np.interp(np.arange(samples), knots, chance.random(places)) for _ in vowels]
    return sum((vowel * weight for vowel, weight in zip(vowels, weights, strict=True)), np.zeros(samples))


def _drums(chance: Generator, samples: int) -> Wave:
    beat = int(chance.uniform(0.2, 0.5) * SAMPLE_RATE_HERTZ)

    def piece() -> tuple[Wave, int]:
        length = int(0.25 * SAMPLE_RATE_HERTZ)
        falling = np.exp(-np.arange(length) / (0.05 * SAMPLE_RATE_HERTZ))
        hit = _note(float(chance.choice([60, 90, 180])), length, decay=15) + 0.4 * _white(chance, length) * falling
        return hit * chance.uniform(0.4, 1), beat

    return _in_turn(samples, piece)


def _applause(chance: Generator, samples: int) -> Wave:
    """Make many claps at random: short bursts of noise, swelling and fading."""
    clap = int(0.02 * SAMPLE_RATE_HERTZ)
    falling = np.exp(-np.arange(clap) / (0.004 * SAMPLE_RATE_HERTZ))
    made = np.zeros(samples + clap)
    for at in chance.integers(0, samples, samples // 200):
        made[at : at + clap] += chance.uniform(0.2, 1) * chance.standard_normal(clap) * falling
    return made[:samples] * np.sin(np.pi * np.arange(samples) / samples)


def _beeps(chance: Generator, samples: int) -> Wave:
    hertz, length = chance.uniform(400, 2_000), int(chance.uniform(0.1, 0.6) * SAMPLE_RATE_HERTZ)
    return _in_turn(samples, lambda: (_note(hertz, length, decay=0, harmonics=1), 3 * length))


KINDS: Final[dict[str, Make]] = {
    "silence": _silence,
    "white-noise": _white,
    "pink-noise": _pink,
    "brown-noise": _brown,
    "wind": _wind,
    "chords": _chords,
    "melody": _melody,
    "hum": _hum,
    "clicks": _clicks,
    "dtmf": _dtmf,
    "glides": _glides,
    "drums": _drums,
    "applause": _applause,
    "beeps": _beeps,
}
"""The kinds of sound, and what makes each."""
