"""Word lists: one file each, words between spaces; a line that begins with ``#`` says what they are."""

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent


def lines(name: str) -> list[str]:
    """Return the lines of a list."""
    read = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in read if line and not line.startswith("#")]


def word_list(name: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(" ".join(lines(name)).split())
