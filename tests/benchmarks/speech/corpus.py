"""Recordings with a known text: a folder with a ``manifest.jsonl``, or those that come with the repository."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.selftest import clips
from models.selftest.held_out import LISTED, recorded

MANIFEST: Final = "manifest.jsonl"
"""A line for each recording: ``file``, ``language`` and ``text``; ``text`` is null where none is known."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording. ``text`` is what is said in it; empty without speech, None where it is not known."""

    name: str
    path: Path
    language: str
    text: str | None


def recordings_in(directory: Path) -> tuple[Recording, ...]:
    """Read the manifest of a folder, or the list of the self-test's held-out recordings in it."""
    if (directory / LISTED).is_file():
        held_out = recorded(directory)
        return tuple(
            Recording(each.file.name, each.file, each.language, " ".join(each.words)) for each in held_out
        )
    lines = (directory / MANIFEST).read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines if line.strip()]
    return tuple(
        Recording(each["file"], directory / each["file"], each["language"], each["text"]) for each in entries
    )


def bundled_recordings() -> tuple[Recording, ...]:
    """Return the self-test's recordings that hold speech."""
    return tuple(Recording(clip.name, clip.path, clip.language, clip.text) for clip in clips() if clip.language)


def with_text(
    recordings: Collection[Recording], *, languages: Collection[str] = (), names: Collection[str] = ()
) -> Iterator[Recording]:
    """Yield the recordings with a known text, in any of the languages, whose name holds any of the names."""
    for each in recordings:
        if not each.text or (languages and each.language not in languages):
            continue
        if not names or any(name in each.name for name in names):
            yield each
