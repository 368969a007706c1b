"""What tests of the engine run on: a small real model, and real speech where it is available."""

import os
from pathlib import Path
from typing import Final, NoReturn

import pytest

_SELFTEST: Final = Path(__file__).parents[2] / "models" / "selftest"
_SELFTEST_WEIGHTS: Final = _SELFTEST / "weights"


def model_directory() -> Path:
    """Find a small Whisper-shaped model: KASCRIBE_TEST_MODEL, or the one that comes with the repository."""
    named = os.environ.get("KASCRIBE_TEST_MODEL")
    directory = Path(named) if named else _SELFTEST_WEIGHTS
    if not (directory / "model.bin").is_file():
        missing(f"no model in {directory}; point KASCRIBE_TEST_MODEL at a small CTranslate2 Whisper model")
    return directory


def speech(name: str) -> Path:
    """Find a recording that comes with the repository, or one of the corpus; skip the test without a corpus.

    The corpus cannot be part of the repository, so a clean checkout passes without it, in CI as well.
    """
    bundled = _SELFTEST / "clips" / name
    if bundled.is_file():
        return bundled
    corpus = os.environ.get("KASCRIBE_TEST_SPEECH")
    if not corpus:
        pytest.skip("KASCRIBE_TEST_SPEECH names no folder of recordings")
    path = Path(corpus) / name
    if not path.is_file():
        missing(f"{path} does not exist")
    return path


def missing(what: str) -> NoReturn:
    """Skip the test on a laptop; fail it in CI, where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
