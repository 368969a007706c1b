"""The benchmark of the archive, with few jobs: every question is answered and finds what it should."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.settings import ArchiveSettings
from tests.benchmarks.archive.__main__ import run

JOBS = 600


def test_every_question_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind of list and search finds something, except the two that ask for what is not there."""
    settings = ArchiveSettings(url=SecretStr(f"sqlite:///{tmp_path}/archive.db"))
    table = run("sqlite", settings, count=JOBS, runs=12)
    empty = {times.name for times in table if not times.found}
    assert empty == {"list, a name of no job", "search, nothing"}
    assert f"{JOBS} jobs" in capsys.readouterr().out
