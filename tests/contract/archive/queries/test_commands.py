"""``kascribe jobs``, ``search`` and ``usage`` as a person types them on 80 columns, and as a script reads them."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.errors import Reason
from schemas.identity import job_id
from schemas.settings import ArchiveSettings
from tests.contract.archive.archive_bench import opened_bench
from tests.contract.archive.queries.recordings import Shelf
from tests.support.object_store import ObjectStore
from tests.support.terminals import COLUMNS, RunResult, Where, kascribe

LONG = "a budget for the third quarter that is discussed at such a length that no line of eighty columns holds it"
_STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
Run = Callable[..., RunResult]


@pytest.fixture(scope="module")
def url(moto_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of an archive with three jobs."""
    url = f"sqlite:///{tmp_path_factory.mktemp('archive')}/archive.db"
    with opened_bench(ArchiveSettings(url=SecretStr(url)), moto_store) as archive:
        shelf = Shelf(archive)
        shelf.add("first", "예산 회의록을 정리합니다", language="ko")
        shelf.fail("bad", Reason.AUDIO_EMPTY, tenant="other")
        shelf.add("long", "before", LONG)
    return url


@pytest.fixture
def run(url: str, tmp_path: Path) -> Run:
    """Return a runner of commands on that archive, or on another one."""

    def runner(*arguments: str, where: Where = Where.FILES, archive: str | None = url) -> RunResult:
        environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
        if archive is not None:
            environment["KASCRIBE_ARCHIVE_URL"] = archive
        return kascribe(arguments, where, tmp_path, environment)

    return runner


def lines_of(screen: str) -> list[str]:
    """Return what a terminal shows, without styles."""
    return [line.rstrip() for line in _STYLES.sub("", screen).replace("\r", "").splitlines() if line.strip()]


def test_jobs_are_listed_for_scripts(run: Run) -> None:
    """One a line with tabs between, or as JSON; what follows is said beside the result."""
    listed = run("jobs", "--limit", "2")
    first, second = (line.split("\t") for line in listed.stdout.splitlines())
    assert first[0] == job_id("long")
    assert first[2:6] == ["completed", "en", "00:00:09", "long.wav"]
    assert (second[2], second[5], second[6]) == ("failed", "bad.wav", "no samples")
    assert "--limit 20" in listed.stderr
    (job,) = map(json.loads, run("jobs", "--language", "ko", "--json").stdout.splitlines())
    assert (job["name"], job["tenant"], job["phase"]) == ("first.wav", "team", "completed")
    assert run("jobs", "--phase", "cancelled").stderr == "no jobs\n"


def test_jobs_fit_a_terminal(run: Run) -> None:
    """No id is cut, no line wraps but that of a long text, and a failure says what to do."""
    shown = lines_of(run("jobs", where=Where.TERMINAL).screen)
    assert all(len(line) <= COLUMNS for line in shown), shown
    for key in ("first", "bad", "long"):
        assert any(line.startswith(f"{job_id(key)}  2026-11-22T09:00:0") for line in shown)
    assert "    audio_empty: no samples" in shown
    assert "    Upload the file again." in shown
    assert any(line.startswith("    long.wav  before a budget") and line.endswith("…") for line in shown)


def test_hits_are_listed_with_their_times(run: Run) -> None:
    """On a terminal the words stand out; a script gets one hit a line."""
    found = run("search", "회의", "예산")
    assert found.stdout == f"{job_id('first')}\t00:00:00\tfirst.wav\t예산 회의록을 정리합니다\n"
    (result,) = map(json.loads, run("search", "third quarter", "--json").stdout.splitlines())
    assert result["hits"][0]["highlights"] == [[LONG.index("third"), LONG.index(" that")]]
    screen = run("search", "third quarter", where=Where.TERMINAL).screen
    assert re.search(r"\x1b\[1;33mthird quarter\x1b\[0m", screen)
    assert any(line.startswith("    00:00:01  a budget for the third") for line in lines_of(screen))
    assert all(len(line) <= COLUMNS for line in lines_of(screen))
    assert run("search", "quarter third", "nothing").stderr == "nothing found\n"


def test_usage_is_summed_up(run: Run) -> None:
    """As a table, as columns in seconds, and as JSON."""
    assert run("usage", "--by", "tenant").stdout.splitlines() == [
        "team\t2\t0\t18.0\t16.0\t3.0",
        "other\t1\t1\t0.0\t0.0\t0.0",
    ]
    (day,) = map(json.loads, run("usage", "--json", "--tenant", "team").stdout.splitlines())
    assert (day["key"], day["jobs"], day["audio_seconds"]) == ("2026-11-22", 2, 18.0)
    table = lines_of(run("usage", where=Where.TERMINAL).screen)
    assert [line.split() for line in table] == [
        ["day", "jobs", "failed", "audio", "speech", "processing"],
        ["2026-11-22", "3", "1", "00:00:18", "00:00:16", "00:00:03"],
    ]
    assert run("usage", "--from", "2026-11-23").stderr == "no jobs\n"


def test_without_an_archive_the_commands_say_what_to_do(run: Run, tmp_path: Path) -> None:
    """Where none is configured, where its role has not made it, and for a time that is none."""
    for command in (("jobs",), ("search", "words"), ("usage",)):
        absent = run(*command, archive=None)
        assert absent.exit_code == 2
        assert "kascribe up" in absent.stderr
        assert "KASCRIBE_ARCHIVE_URL" in absent.stderr
        empty = run(*command, archive=f"sqlite:///{tmp_path}/none.db")
        assert (empty.exit_code, "kascribe run archive" in empty.stderr) == (1, True)
        wrong = run(*command, "--from", "yesterday")
        assert (wrong.exit_code, "--from yesterday: write 90m" in wrong.stderr) == (2, True)
