"""A slice of the long-file benchmark that CI can afford: ten minutes instead of four hours."""

from typing import Final

from schemas.options import TranscribeOptions
from tests.benchmarks.long_files import many_files
from tests.benchmarks.long_files.long_file import measure
from tests.support.listening import model_directory, speech

GROWTH_LIMIT_MIB: Final = 200
"""The same for ten minutes and for four hours: nothing that grows with the recording stays in memory."""


def test_a_long_recording_costs_bounded_memory() -> None:
    """Parent and decoders together grow by less than the limit over what they hold when warm."""
    cost = measure(
        model_directory(),
        speech("en-digits.ogg"),
        seconds=600,
        pause_seconds=15,
        options=TranscribeOptions(language="en", beam_size=1),
    )
    assert cost.windows >= 4
    assert cost.growth_mib < GROWTH_LIMIT_MIB


def test_many_files_leave_no_memory_behind() -> None:
    """Eighty instead of two thousand, through one process."""
    clips = [speech("en-digits.ogg"), speech("ko-digits.ogg")]
    growth = many_files.measure(model_directory(), clips, count=80, samples=8)
    assert growth.failed == 0
    assert growth.is_flat
