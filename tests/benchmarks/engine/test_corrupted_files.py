"""A slice of the damaged files that CI can afford: one of every format, with all kinds of damage among them."""

from contextlib import closing
from pathlib import Path

from models.whisper.transcriber import Transcriber
from schemas.settings import WhisperSettings
from tests.benchmarks.engine.corrupted_files import (
    DAMAGES,
    TOKENS,
    DamagedFiles,
    Ending,
    endings,
    table,
)
from tests.benchmarks.engine.plain_reader import plain_seconds
from tests.gpu.bench.shaped_model import SHAPES, make
from tests.sound.sound_reading import CONTAINERS
from tests.support.listening import speech

STEP = len(CONTAINERS) + 1
"""So that format and damage change from one file to the next."""


def test_damaged_files_have_transcripts_or_reasons(tmp_path: Path) -> None:
    """None crashes or hangs the process; the reason for a refusal is the file's content."""
    model = make(tmp_path / "model", SHAPES["micro"], language="en", tokens=TOKENS)
    files = DamagedFiles(tmp_path)
    numbers = [number * STEP for number in range(len(CONTAINERS))]
    with closing(Transcriber(WhisperSettings(device="cpu"), model, "micro")) as transcriber:
        found = endings(files, transcriber, numbers)
    assert [ending for ending in found if ending.defect] == []
    assert {ending.form for ending in found} == set(CONTAINERS)
    assert {ending.damage for ending in found} == set(DAMAGES)


def test_a_number_gives_the_same_file_again(tmp_path: Path) -> None:
    """So that a defect is found again by its number."""
    files = DamagedFiles(tmp_path)
    first = files.write(37).read_bytes()
    assert files.write(37).read_bytes() == first
    assert files.write(37 + STEP).read_bytes() != first


def test_a_plain_reader_finds_the_sound_of_a_good_file() -> None:
    """It decides whether a refusal is right."""
    assert plain_seconds(speech("en-digits.ogg")) > 4


def test_a_defect_is_named_with_its_number() -> None:
    """And the goal is missed."""
    found = [Ending(1, "wav", "bits", "completed", 0.1), Ending(2, "mp3", "cut", "EngineFailed", 0.1, "broken")]
    assert "1 defects, missed\n2 (mp3, cut): EngineFailed: broken" in table(found)
