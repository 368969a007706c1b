"""A slice of ``make chaos-failures``: rows of which no other test sees the whole."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.failures.rows import ROWS
from tests.chaos.failures.run import problems, provoke
from tests.integration.stack import PrivateStack

SLICE: Final = ("bucket-read-only", "full-disk", "no-descriptors")
HOLD_SECONDS: Final = 2.0


@pytest.mark.parametrize("name", SLICE)
def test_a_failure_shows_what_the_table_promises(stack: PrivateStack, tmp_path: Path, name: str) -> None:
    """Health, metric and log tell what is wrong, no record pays for it, and all is done once it is mended."""
    (row,) = (row for row in ROWS if row.name == name)
    if missing := row.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    seen = provoke(replace(row, hold_seconds=HOLD_SECONDS), stack, tmp_path, seed=1)
    assert not problems(row.expected, seen), seen
