"""What the decoders' sandbox costs: starts and decodes in pairs, with and without it, by turns.

Figures are processor time of the child, which other programs on the machine change less than elapsed time.

Run: ``python -m tests.benchmarks.engine.sandbox``.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final

from models.media.files import open_files
from models.media.messages import DecodeFinished, DecodeRequest
from models.media.process import DecoderProcess
from models.media.spool import FeatureSpool
from schemas.clock import SystemClock
from schemas.settings import WhisperSettings
from tests.sound.decoding import long_recording
from tests.support.listening import speech

SPOOL_BYTES: Final = 1024**3
SIDES: Final = ("off", "available")
SHORT_FILES: Final = 20
"""Short files of one turn, which takes many steps of processor time."""


def started(sandbox: str) -> tuple[DecoderProcess, float]:
    """Start a child and return it with the processor seconds until it was ready."""
    settings = WhisperSettings.model_validate({"decoder_sandbox": sandbox})
    child = DecoderProcess(settings, file_bytes=SPOOL_BYTES, clock=SystemClock())
    child.wait_ready(cancelled=lambda: False)
    return child, processor_seconds(child)


def processor_seconds(child: DecoderProcess) -> float:
    """Return the processor time of the child so far, in steps of 10 ms."""
    fields = Path(f"/proc/{child.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def decode_seconds(child: DecoderProcess, path: Path, *, times: int) -> float:
    """Decode a file so many times and return the processor seconds of each."""
    began = processor_seconds(child)
    for _ in range(times):
        decode(child, path)
    return (processor_seconds(child) - began) / times


def decode(child: DecoderProcess, path: Path) -> None:
    """Decode a file."""
    request = DecodeRequest(
        split=False, vad=True, mel_bands=80, audio_limit_seconds=3600, spool_limit_bytes=SPOOL_BYTES
    )
    with closing(FeatureSpool(mel_bands=80)) as spool:
        with open_files(path, spool) as files:
            *_, last = child.decode(request, *files, cancelled=lambda: False)
        assert isinstance(last, DecodeFinished), last


def turns(pairs: int) -> Iterator[tuple[str, str]]:
    """Yield both sides for each pair; the one that goes first changes."""
    for number in range(pairs):
        yield SIDES if number % 2 else SIDES[::-1]


def start_pairs(pairs: int) -> list[dict[str, float]]:
    """Measure starts, in seconds by side."""
    measured = []
    for sides in turns(pairs):
        pair = {}
        for side in sides:
            child, pair[side] = started(side)
            child.close()
        measured.append(pair)
    return measured


def decode_pairs(pairs: int, path: Path, *, files: int) -> list[dict[str, float]]:
    """Measure files decoded one after another by children that run, in seconds a file by side."""
    children = {side: started(side)[0] for side in SIDES}
    for child in children.values():
        decode(child, path)
    measured = [
        {side: decode_seconds(children[side], path, times=files) for side in sides} for sides in turns(pairs)
    ]
    for child in children.values():
        child.close()
    return measured


def line(name: str, measured: Sequence[dict[str, float]]) -> str:
    """Return the medians of both sides and of the pairs' ratios, with the quarter of the ratios on each side."""
    off, on = (median(pair[side] for pair in measured) * 1000 for side in SIDES)
    ratios = sorted(pair["available"] / pair["off"] for pair in measured)
    low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
    return f"{name:<30} {off:8.1f} ms {on:8.1f} ms   {median(ratios):.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Print one line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20, help="pairs of each measurement (default: 20)")
    pairs = parser.parse_args().pairs
    print(
        f"load {os.getloadavg()[0]:.1f}; medians of {pairs} pairs; ratio: with / without, middle half of the pairs"
    )
    print(f"{'':<30} {'without':>11} {'with':>11}   ratio")
    print(line("start of a decoder", start_pairs(pairs)))
    print(line("a clip of 4 s", decode_pairs(pairs, speech("en-digits.ogg"), files=SHORT_FILES)))
    with tempfile.TemporaryDirectory() as directory:
        print(line("9 minutes of noise (WAV)", decode_pairs(pairs, long_recording(Path(directory)), files=1)))


if __name__ == "__main__":
    main()
