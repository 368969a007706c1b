"""faster-whisper as most people run it: one file after the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faster_whisper

from kascribe.commands.benchmarking.figures import BenchRow
from schemas.clock import Clock
from schemas.options import TranscribeOptions

SYSTEM = "faster-whisper"


def run_plain_loop(
    directory: Path,
    paths: Sequence[Path],
    options: TranscribeOptions,
    like: BenchRow,
    *,
    seconds: float,
    clock: Clock,
) -> BenchRow:
    """Transcribe the files in a loop, each once at most, for so long, on the device and with the type of ``like``.

    Its other options are faster-whisper's defaults, with voice detection. Blocks. A file that it cannot read
    counts as nothing.
    """
    model = faster_whisper.WhisperModel(str(directory), device=like.device, compute_type=like.compute_type)
    _transcribe(model, paths[0], options)  # the first call is slower
    started_at = clock.monotonic()
    audio_seconds, files = 0.0, 0
    for path in paths:
        if files and clock.monotonic() - started_at > seconds:
            break
        audio_seconds += _transcribe(model, path, options)
        files += 1
    wall_seconds = clock.monotonic() - started_at
    return BenchRow(
        system=SYSTEM,
        model=like.model,
        device=like.device,
        compute_type=like.compute_type,
        files=files,
        audio_seconds=round(audio_seconds, 3),
        wall_seconds=round(wall_seconds, 3),
        times_real_time=round(audio_seconds / wall_seconds, 3),
    )


def _transcribe(model: Any, path: Path, options: TranscribeOptions) -> float:
    """Return the seconds of audio transcribed."""
    try:
        segments, facts = model.transcribe(
            str(path), language=options.language, beam_size=options.beam_size, vad_filter=True
        )
        for _ in segments:  # decoding happens while they are read
            pass
    except (OSError, ValueError, RuntimeError):  # PyAV's errors among them
        return 0.0
    return float(facts.duration)
