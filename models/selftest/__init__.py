"""A small model in Whisper's format, part of the repository, to check an installation and to test against.

It knows a few spoken words of English and Korean (`VOCABULARY`) and nothing else. It is not an OpenAI Whisper
model and is never used in place of one: it is loaded under the name `selftest` only.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.selftest.vocabulary import VOCABULARY

__all__ = ["SELFTEST_MODEL_NAME", "VOCABULARY", "Clip", "clips", "path"]

SELFTEST_MODEL_NAME: Final = "selftest"
_DIRECTORY: Final = Path(__file__).parent


@dataclass(frozen=True)
class Clip:
    """A short recording shipped with the model, of a synthetic speaker outside its training data, and its text.

    `text` is empty for a clip without speech; `language` is then None.
    """

    name: str
    path: Path
    language: str | None
    text: str
    duration_seconds: float


def path() -> Path:
    """Return the CTranslate2 directory of the model."""
    return _DIRECTORY / "weights"


def clips() -> tuple[Clip, ...]:
    """Return the recordings listed in `clips/clips.json`."""
    listed = json.loads((_DIRECTORY / "clips" / "clips.json").read_text(encoding="utf-8"))
    return tuple(
        Clip(
            name=entry["file"],
            path=_DIRECTORY / "clips" / entry["file"],
            language=entry["language"],
            text=entry["text"],
            duration_seconds=entry["duration_seconds"],
        )
        for entry in listed
    )
