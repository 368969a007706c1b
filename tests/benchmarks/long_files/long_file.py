"""How much memory and time a long recording costs.

python -m tests.benchmarks.long_files.long_file --model DIRECTORY --clip en-digits.ogg --hours 4
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from models.whisper.transcriber import Transcriber
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from tests.benchmarks.long_files.memory import MIB, MemoryWatch, children
from tests.sound.recordings import Format, read, write


@dataclass(frozen=True, slots=True)
class Cost:
    """Resident memory is of this process and its decoders together; growth is over what they held when warm."""

    audio_seconds: float
    windows: int
    warm_mib: float
    peak_mib: float
    growth_mib: float
    wall_seconds: float
    times_real_time: float
    decoder_seconds: float
    decoder_times_real_time: float
    inference_seconds: float


def repeated(clip: Path, path: Path, *, seconds: float, pause_seconds: float) -> Path:
    """Repeat clip and pause as mp3 until it is as long as requested: streams of mp3 may simply be joined."""
    sound = np.pad(read(clip), (0, round(pause_seconds * 16_000)))
    once = write(path.with_suffix(".once.mp3"), sound, Format("mp3", "libmp3lame", "mp3")).read_bytes()
    with path.open("wb") as file:
        for _ in range(round(seconds * 16_000 / len(sound))):
            file.write(once)
    return path


def measure(
    model: Path, clip: Path, *, seconds: float, pause_seconds: float = 0.0, options: TranscribeOptions
) -> Cost:
    """Transcribe so many seconds of the clip, on a CPU, and return what that cost."""
    transcriber = Transcriber(WhisperSettings(device="cpu"), model, "benchmark")
    transcriber.warm_up()
    with tempfile.TemporaryDirectory() as directory:
        transcriber.transcribe(clip, options)
        path = repeated(clip, Path(directory) / "long.mp3", seconds=seconds, pause_seconds=pause_seconds)
        with MemoryWatch(lambda: (os.getpid(), *children(os.getpid()))) as watch:
            warm_bytes = watch.now_bytes()
            start = time.monotonic()
            transcript = transcriber.transcribe(path, options)
            wall_seconds = time.monotonic() - start
    transcriber.close()
    timing, audio_seconds = transcript.timing, transcript.audio.audio_duration_seconds
    decoder_seconds = sum((timing.decode_seconds or 0, timing.vad_seconds or 0, timing.features_seconds or 0))
    return Cost(
        audio_seconds=round(audio_seconds, 1),
        windows=transcript.usage.windows,
        warm_mib=round(warm_bytes / MIB, 1),
        peak_mib=round(watch.peak_bytes / MIB, 1),
        growth_mib=round((watch.peak_bytes - warm_bytes) / MIB, 1),
        wall_seconds=round(wall_seconds, 1),
        times_real_time=round(audio_seconds / wall_seconds, 1),
        decoder_seconds=round(decoder_seconds, 2),
        decoder_times_real_time=round(audio_seconds / decoder_seconds, 1),
        inference_seconds=transcript.usage.inference_seconds,
    )


def main() -> None:
    """Print the cost as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--pause-seconds", type=float, default=0.0)
    parser.add_argument("--beam-size", type=int, default=1)
    arguments = parser.parse_args()
    options = TranscribeOptions(language="en", beam_size=arguments.beam_size)
    cost = measure(
        arguments.model,
        arguments.clip,
        seconds=arguments.hours * 3600,
        pause_seconds=arguments.pause_seconds,
        options=options,
    )
    print(json.dumps(asdict(cost), indent=2))


if __name__ == "__main__":
    main()
