"""Thousands of damaged files of 30 formats through one process: no crash, no hang, and the right reasons.

Every file is a good one with random damage; its number gives the format, the kind of damage and the seed. A file
may have a transcript, with what is left of it, or be refused for its content. Any other ending is a defect, and so
is a file that is refused as undecodable or empty although a plain reader finds sound in it.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from models.whisper.transcriber import Transcriber
from schemas.errors import AudioEmpty, AudioTooLarge, AudioTooLong, AudioUndecodable
from schemas.options import TranscribeOptions
from schemas.settings import WhisperSettings
from tests.benchmarks.engine.plain_reader import PlainReader
from tests.gpu.bench.shaped_model import SHAPES, make
from tests.sound import media_cases
from tests.sound.media_cases import Voice, mux
from tests.sound.sound_reading import CONTAINERS

CALLERS: Final = 4
TOKENS: Final = 4
HANG_SECONDS: Final = 60.0
"""Longer than any of these files takes on a busy machine; they are of five seconds."""
SILENT_SECONDS: Final = 0.1
"""Sound that may be missed: a reader that is stricter drops a last broken packet."""
REFUSALS: Final = (AudioUndecodable, AudioEmpty, AudioTooLong, AudioTooLarge)

Damage = Callable[[bytearray, random.Random], bytearray]


def _flip(content: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.choice((1, 4, 64, 512))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return content


def _flip_header(content: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.choice((1, 2, 8))):
        content[chance.randrange(min(256, len(content)))] = chance.randrange(256)
    return content


def _cut(content: bytearray, chance: random.Random) -> bytearray:
    return content[: chance.randrange(len(content))]


def _zero(content: bytearray, chance: random.Random) -> bytearray:
    first, end = _span(content, chance)
    content[first:end] = bytes(end - first)
    return content


def _remove(content: bytearray, chance: random.Random) -> bytearray:
    first, end = _span(content, chance)
    del content[first:end]
    return content


def _repeat(content: bytearray, chance: random.Random) -> bytearray:
    first, end = _span(content, chance)
    content[first:first] = content[first:end]
    return content


def _insert(content: bytearray, chance: random.Random) -> bytearray:
    first, end = _span(content, chance)
    content[first:first] = chance.randbytes(end - first)
    return content


def _noise(content: bytearray, chance: random.Random) -> bytearray:
    return bytearray(chance.randbytes(len(content) // 8))


def _span(content: bytearray, chance: random.Random) -> tuple[int, int]:
    first = chance.randrange(len(content))
    return first, min(len(content), first + chance.choice((1, 188, 4_096, len(content) // 3)))


DAMAGES: Final[Mapping[str, Damage]] = {
    "bits": _flip,
    "header": _flip_header,
    "cut": _cut,
    "zeros": _zero,
    "removed": _remove,
    "repeated": _repeat,
    "inserted": _insert,
    "noise": _noise,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a file ended: with the transcript's status or the error's name; ``defect`` is what is wrong."""

    number: int
    form: str
    damage: str
    outcome: str
    seconds: float
    defect: str = ""


class DamagedFiles:
    """Good files of every format, and damaged ones made of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        sound = media_cases.clip(media_cases.DIGITS)
        self._good: dict[str, bytes] = {}
        for name, (container, codec, rate_hertz) in CONTAINERS.items():
            path = mux(directory / "good", container, [Voice(sound, codec, rate_hertz)])
            self._good[name] = path.read_bytes()

    def kind(self, number: int) -> tuple[str, str]:
        """Return the format and the damage of a file."""
        forms, damages = list(CONTAINERS), list(DAMAGES)
        return forms[number % len(forms)], damages[number // len(forms) % len(damages)]

    def write(self, number: int) -> Path:
        """Write a file; the same one for the same number."""
        form, damage = self.kind(number)
        content = DAMAGES[damage](bytearray(self._good[form]), random.Random(number))
        path = self._directory / f"{number}.damaged"
        path.write_bytes(content)
        return path


def endings(files: DamagedFiles, transcriber: Transcriber, numbers: Iterable[int]) -> list[Ending]:
    """Transcribe the files of these numbers, several at a time. Blocks."""
    with closing(PlainReader()) as reader, ThreadPoolExecutor(CALLERS) as callers:
        return list(callers.map(lambda number: _ending(files, transcriber, reader, number), numbers))


def _ending(files: DamagedFiles, transcriber: Transcriber, reader: PlainReader, number: int) -> Ending:
    path = files.write(number)
    started = time.monotonic()
    error: Exception | None = None
    try:
        outcome = transcriber.transcribe(path, TranscribeOptions(beam_size=1)).status.value
    except Exception as raised:  # noqa: BLE001 - other errors than refusals are what is looked for
        outcome, error = type(raised).__name__, raised
    seconds = time.monotonic() - started
    defect = "" if error is None or isinstance(error, REFUSALS) else str(error)
    if isinstance(error, AudioUndecodable | AudioEmpty) and (found := reader.seconds(path)) > SILENT_SECONDS:
        defect = f"a plain reader finds {found:.1f} s in it"
    if seconds > HANG_SECONDS:
        defect = f"took {seconds:.0f} s; {defect}"
    path.unlink()
    return Ending(number, *files.kind(number), outcome, seconds, defect)


def table(found: list[Ending]) -> str:
    """Return how many files ended how, by damage, and every defect."""
    outcomes = sorted({ending.outcome for ending in found})
    counts = Counter((ending.damage, ending.outcome) for ending in found)
    lines = [f"{'':10}" + "".join(f"{outcome:>18}" for outcome in outcomes)]
    lines += [f"{damage:10}" + "".join(f"{counts[damage, each]:18}" for each in outcomes) for damage in DAMAGES]
    defects = [ending for ending in found if ending.defect]
    slowest = max(ending.seconds for ending in found)
    lines.append(
        f"{len(found)} files of {len({ending.form for ending in found})} formats, slowest {slowest:.1f} s"
    )
    lines.append(
        f"goal: no crash, no hang, right reasons: {len(defects)} defects, {'missed' if defects else 'met'}"
    )
    lines += [f"{each.number} ({each.form}, {each.damage}): {each.outcome}: {each.defect}" for each in defects]
    return "\n".join(lines)


def main() -> int:
    """Print the table; return 1 when there is a defect."""
    prog = "python -m tests.benchmarks.engine.corrupted_files"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first number; --count 1 repeats that file")
    chosen = parser.parse_args()
    found: list[Ending] = []
    with TemporaryDirectory(prefix="kascribe-corrupted-") as name:
        directory = Path(name)
        model = make(directory / "model", SHAPES["micro"], language="en", tokens=TOKENS)
        files = DamagedFiles(directory)
        with closing(Transcriber(WhisperSettings(device="cpu"), model, "micro")) as transcriber:
            for first in range(chosen.first, chosen.first + chosen.count, 500):
                end = min(first + 500, chosen.first + chosen.count)
                found += endings(files, transcriber, range(first, end))
                print(
                    f"{len(found)} of {chosen.count}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True
                )
    print(table(found))
    return 1 if any(ending.defect for ending in found) else 0


if __name__ == "__main__":
    sys.exit(main())
