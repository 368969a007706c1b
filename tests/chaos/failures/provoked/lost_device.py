"""Kascribe with a device that is lost once a file exists: ``python -m tests.chaos.failures.provoked.lost_device``.

The double stands for the library at the engine's edge, and raises what CTranslate2 raises when CUDA fails.
"""

import os
from pathlib import Path
from typing import Any, Final

import ctranslate2

from kascribe.cli import main

LOST_FILE: Final = "KASCRIBE_TEST_LOST_FILE"
"""Names the file in the environment; it is removed before the process starts again."""

_Real: Final = ctranslate2.models.Whisper


class LosingWhisper:
    """CTranslate2's Whisper, whose calls fail from the moment when the file exists."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._real = _Real(*arguments, **options)
        self._file = Path(os.environ[LOST_FILE])

    def __getattr__(self, name: str) -> Any:
        """Pass on everything else."""
        return getattr(self._real, name)

    def encode(self, *arguments: Any, **options: Any) -> Any:
        """Encode, or fail as a lost device does."""
        if self._file.exists():
            raise RuntimeError("CUDA failed with error unspecified launch failure")
        return self._real.encode(*arguments, **options)


if __name__ == "__main__":
    ctranslate2.models.Whisper = LosingWhisper
    main()
