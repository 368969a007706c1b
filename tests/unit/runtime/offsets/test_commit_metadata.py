"""The three parts of a commit's metadata in one string."""

from itertools import product

import pytest

from consumers.runtime.offsets.commit_metadata import LOG_ID_CHARACTERS, CommitMetadata

LOG_ID = "x" * LOG_ID_CHARACTERS


@pytest.mark.parametrize(
    ("gap_map", "journal", "log_id"), [*product(("", "kascribe1bXYZ"), ("", "odead", "wdead1+1"), ("", LOG_ID))]
)
def test_every_part_is_read_back_whichever_others_are_missing(gap_map: str, journal: str, log_id: str) -> None:
    """Empty parts at the end leave no space behind, so older releases read the first two as ever."""
    written = CommitMetadata(gap_map, journal, log_id)
    assert CommitMetadata.read(str(written)) == written
    assert not str(written).endswith(" ")


def test_metadata_of_other_programs_is_left_to_the_gap_map_s_decoder() -> None:
    """It recognizes its own text; reading never raises."""
    assert CommitMetadata.read(None) == CommitMetadata()
    assert CommitMetadata.read("AgAAAAAAAA==") == CommitMetadata("AgAAAAAAAA==")
    assert CommitMetadata.read("a b c d e") == CommitMetadata("a", "b", "c")
