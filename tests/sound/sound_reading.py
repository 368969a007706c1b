"""Containers of every kind, made on the spot, and all that a reader reports of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.media.decoding.sound import DecodeStats, SoundFacts, SoundReader
from tests.sound import media_cases
from tests.sound.media_cases import Change, Voice, mux
from tests.sound.recordings import SAMPLE_RATE_HERTZ, Sound

CONTAINERS: Final = {
    "mka/opus": ("matroska", "libopus", 48_000),
    "mka/aac": ("matroska", "aac", 44_100),
    "mka/mp3": ("matroska", "libmp3lame", 44_100),
    "mka/pcm": ("matroska", "pcm_s16le", 16_000),
    "ogg/flac": ("ogg", "flac", 16_000),
    "ogg/opus": ("ogg", "libopus", 48_000),
    "flac": ("flac", "flac", 16_000),
    "ts/aac": ("mpegts", "aac", 48_000),
    "ts/mp2": ("mpegts", "mp2", 48_000),
    "mpeg/mp2": ("mpeg", "mp2", 48_000),
    "flv/aac": ("flv", "aac", 44_100),
    "flv/mp3": ("flv", "libmp3lame", 44_100),
    "avi/mp3": ("avi", "libmp3lame", 44_100),
    "avi/pcm": ("avi", "pcm_s16le", 44_100),
    "mov/pcm": ("mov", "pcm_s16le", 44_100),
    "mp4/aac": ("mp4", "aac", 44_100),
    "mp4/opus": ("mp4", "libopus", 48_000),
    "m4a/alac": ("ipod", "alac", 44_100),
    "3gp/amr": ("3gp", "libopencore_amrnb", 8_000),
    "aiff": ("aiff", "pcm_s16be", 44_100),
    "au": ("au", "pcm_mulaw", 8_000),
    "caf": ("caf", "pcm_s16le", 44_100),
    "w64": ("w64", "pcm_s16le", 44_100),
    "wav": ("wav", "pcm_s16le", 16_000),
    "wav/adpcm": ("wav", "adpcm_ima_wav", 16_000),
    "wav/mp3": ("wav", "libmp3lame", 44_100),
    "wavpack": ("wv", "wavpack", 44_100),
    "tta": ("tta", "tta", 44_100),
    "ac3": ("ac3", "ac3", 48_000),
    "mp2": ("mp2", "mp2", 48_000),
}
"""Container, codec and rate."""


@dataclass(frozen=True)
class ReadResult:
    """All that a reader reports of a file."""

    samples: Sound
    facts: SoundFacts
    stats: DecodeStats

    @property
    def seconds(self) -> float:
        """Its length."""
        return float(self.samples.shape[1] / SAMPLE_RATE_HERTZ)


def read(path: Path, *, split: bool = False) -> ReadResult:
    """Decode a whole file."""
    with SoundReader(path, split=split) as sound:
        blocks = list(sound.blocks(10**9))
        return ReadResult(np.concatenate(blocks, axis=1), sound.facts, sound.stats)


def made(directory: Path, name: str, change: Change = lambda _, packet: packet, **options: str) -> Path:
    """Write the digits twice, in one of the containers, and return its path."""
    container, codec, rate = CONTAINERS[name]
    sound = np.concatenate([media_cases.clip(media_cases.DIGITS)] * 2)
    path = directory / name.replace("/", ".")
    return mux(path, container, [Voice(sound, codec, rate)], change=change, options=options)
