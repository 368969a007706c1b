"""Required contents of a directory that holds a Whisper model for CTranslate2."""

import json
from pathlib import Path
from typing import Final

from schemas.errors import ModelNotFound, StoreError

SELFTEST: Final = "selftest"
SELFTEST_DIRECTORY: Final = Path(__file__).parents[1] / "selftest" / "weights"
WEIGHTS: Final = "model.bin"
REQUIRED: Final = (WEIGHTS, "config.json", "tokenizer.json")
VOCABULARY: Final = "vocabulary.*"
PULLED: Final = (*REQUIRED, "preprocessor_config.json", VOCABULARY)
"""Patterns of the files that a pull fetches; a repository may hold others."""

_LFS_POINTER: Final = b"version https://git-lfs"


def missing_files(names: set[str]) -> list[str]:
    """Return the required files that are missing among these names, all of one directory."""
    missing = [name for name in REQUIRED if name not in names]
    if not any(Path(name).match(VOCABULARY) for name in names):
        missing.append(VOCABULARY)
    return missing


def check(directory: Path) -> Path:
    """Return ``directory`` if it holds a model. Checks names, sizes and JSON; hashes nothing.

    Raises ModelNotFound when there is no such directory, StoreError when it is not a usable model.
    """
    if not directory.is_dir():
        raise ModelNotFound(f"{directory} is not a directory: give a model's directory or the name of a model")
    missing = missing_files({path.name for path in directory.iterdir() if path.is_file()})
    if missing:
        raise StoreError(
            f"{directory} is not a CTranslate2 Whisper model: it has no {', '.join(missing)}. "
            "Convert the model with ct2-transformers-converter, or pull a conversion"
        )
    _check_weights(directory / WEIGHTS)
    try:
        json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{directory / 'config.json'} is not valid JSON: copy the model again") from error
    return directory


def _check_weights(weights: Path) -> None:
    with weights.open("rb") as file:
        head = file.read(len(_LFS_POINTER))
    if not head:
        raise StoreError(f"{weights} is empty: copy or pull the model again")
    if head == _LFS_POINTER:
        raise StoreError(
            f"{weights} is a Git LFS pointer, not the weights: run `git lfs pull` where it was cloned"
        )
