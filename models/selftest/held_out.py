"""Recordings of speakers outside the training data, on which a test checks the model's word error rate.

    python -m models.selftest.held_out tests/held_out

Writes them: a part of the examples of `evaluate`, as Opus. Writing needs espeak-ng, reading does not.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.selftest.evaluate import SEED, held_out_examples
from models.selftest.record import write

COUNT_PER_LENGTH: Final = 8
"""Recordings per language and length in words: 96 in all, of 3.5 words on average."""

LISTED: Final = "held_out.json"


@dataclass(frozen=True)
class HeldOut:
    """A recording and its words."""

    file: Path
    language: str
    words: tuple[str, ...]


def record(directory: Path) -> None:
    """Synthesise all recordings and list them in `held_out.json`."""
    directory.mkdir(parents=True, exist_ok=True)
    listed = []
    for number, example in enumerate(held_out_examples(COUNT_PER_LENGTH, seed=SEED)):
        file = f"{number:02}-{example.language}.ogg"
        write(example.samples, directory / file)
        listed.append({"file": file, "language": example.language, "text": " ".join(example.words)})
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in listed)
    (directory / LISTED).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def recorded(directory: Path) -> tuple[HeldOut, ...]:
    """Read the recordings that `record` has written."""
    listed = json.loads((directory / LISTED).read_text(encoding="utf-8"))
    return tuple(
        HeldOut(directory / each["file"], each["language"], tuple(each["text"].split())) for each in listed
    )


def main() -> None:
    """Record from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    record(parser.parse_args().directory)


if __name__ == "__main__":
    main()
