"""The transcripts of the benchmark: read from the TOML files beside this module."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("en", "ko")


@dataclass(frozen=True, slots=True)
class Transcript:
    """A spoken text; each line is a segment, whose id is its index."""

    name: str
    language: str
    kind: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)


def read_transcripts() -> tuple[Transcript, ...]:
    """Read every transcript, in the order of the files."""
    return tuple(transcript for language in LANGUAGES for transcript in _read(language))


def _read(language: str) -> list[Transcript]:
    path = Path(__file__).with_name(f"transcripts.{language}.toml")
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["transcripts"]
    return [
        Transcript(entry["name"], language, entry["kind"], tuple(entry["text"].strip().splitlines()))
        for entry in entries
    ]
