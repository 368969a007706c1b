"""Damaged files of every format end in the sandbox as they end without it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from models.media.messages import DecodeFinished
from schemas.settings import WhisperSettings
from tests.benchmarks.engine.corrupted_files import DamagedFiles
from tests.sound.decoding import Decoders
from tests.sound.sound_reading import CONTAINERS

DAMAGES: Final = 2
"""Kinds of damage of each format: changed bits, and a changed header. ``make chaos-corrupted`` has all."""


@contextmanager
def decoders(sandbox: str) -> Iterator[Decoders]:
    """Run one decoder."""
    each = Decoders(WhisperSettings.model_validate({"decoder_processes": 1, "decoder_sandbox": sandbox}))
    with closing(each.pool):
        yield each


def ending(each: Decoders, path: Path) -> tuple[str, str]:
    """Return the kind of ending with its words, or what was decoded, without times."""
    outcome = each.outcome(path)
    if isinstance(outcome, DecodeFinished):
        facts = outcome.model_dump(exclude={"decode_seconds", "vad_seconds", "features_seconds"})
        return "finished", str(facts)
    return type(outcome).__name__, str(outcome)


def test_damaged_files_of_every_format_end_as_without_the_sandbox(tmp_path: Path) -> None:
    """The same reason in the same words, or the same sound: no format needs what the sandbox refuses."""
    files = DamagedFiles(tmp_path)
    paths = [files.write(number) for number in range(DAMAGES * len(CONTAINERS))]
    with decoders("off") as free, decoders("required") as confined:
        expected = [ending(free, path) for path in paths]
        assert [ending(confined, path) for path in paths] == expected
    assert {kind for kind, _ in expected} >= {"finished", "AudioUndecodable"}
