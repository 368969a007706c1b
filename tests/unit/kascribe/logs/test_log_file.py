"""The log file: every line once, whatever rotates it, and no disk stops work."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import structlog

from kascribe.process.log_file import CHECK_SECONDS, RETRY_SECONDS, LogFile
from kascribe.process.log_upkeep import LogUpkeep
from kascribe.process.repeated_lines import RepeatedLines
from tests.support.clock import HandClock
from tests.support.waiting import eventually

WRITER: Final = """
import sys
from pathlib import Path
from kascribe.process.log_file import LogFile
from schemas.clock import SystemClock
path, name, lines = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
file = LogFile(path, limit_bytes=20_000, kept_files=1_000, clock=SystemClock(), on_change=lambda: None)
for number in range(lines):
    file.write(f'{{"writer": "{name}", "number": {number}, "rest": "{"x" * 40}"}}')
"""

ON_A_FULL_DISK: Final = """
import os, sys
from pathlib import Path
from kascribe.process import logs
from schemas.settings import LogSettings
import structlog
folder = Path(sys.argv[1])
logs.configure_process(LogSettings(format="json", file=folder / "{role}.log"), role="transcriber")
log = structlog.get_logger()
log.info("before")
hog = folder / "hog"
try:
    hog.write_bytes(b"x" * 2**20)
except OSError:
    pass
with hog.open("ab", buffering=0) as rest:
    try:
        while rest.write(b"x"):
            pass
    except OSError:
        pass
for number in range(300):
    log.info("on a full disk", number=number)
hog.unlink()
log.info("after")
logs.log_end("the end", None)
print((folder / "transcriber.log").read_text(), end="")
"""


@pytest.fixture
def open_file(tmp_path: Path) -> Callable[..., LogFile]:
    """Open a log file at ``log/kascribe.log``, which is rotated at 100 bytes and keeps two more."""

    def opened(clock: HandClock | None = None, **limits: int) -> LogFile:
        limits = {"limit_bytes": 100, "kept_files": 2} | limits
        path = tmp_path / "log" / "kascribe.log"
        return LogFile(path, clock=clock or HandClock(), on_change=lambda: None, **limits)

    return opened


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_a_file_is_rotated_before_it_exceeds_its_limit_and_the_oldest_is_dropped(
    open_file: Callable[..., LogFile], tmp_path: Path
) -> None:
    """No line is divided, and others may read none of it."""
    file = open_file()
    for letter in "abcd":
        file.write(letter * 60)
    kept = {"kascribe.log": "d", "kascribe.log.1": "c", "kascribe.log.2": "b"}
    assert _texts(tmp_path / "log") == {name: f"{letter * 60}\n" for name, letter in kept.items()}
    assert (tmp_path / "log" / "kascribe.log").stat().st_mode & 0o007 == 0


def test_a_file_without_a_limit_is_left_to_other_programs(
    open_file: Callable[..., LogFile], tmp_path: Path
) -> None:
    """A line longer than a limit goes into a file of its own instead of rotating for ever."""
    file = open_file(limit_bytes=0)
    for letter in "abc":
        file.write(letter * 60)
    assert list(_texts(tmp_path / "log")) == ["kascribe.log"]
    limited = open_file(limit_bytes=10)
    limited.write("d" * 60)
    limited.write("e" * 60)
    assert _texts(tmp_path / "log")["kascribe.log"] == "e" * 60 + "\n"


@pytest.mark.parametrize("how", ["moved", "removed", "copied and cut off"])
def test_a_file_that_logrotate_takes_away_is_made_again_within_a_second(
    open_file: Callable[..., LogFile], tmp_path: Path, how: str
) -> None:
    """Without a signal; SIGHUP ends a role as SIGTERM does."""
    clock, path = HandClock(), tmp_path / "log" / "kascribe.log"
    file = open_file(clock, limit_bytes=0)
    file.write("before")
    if how == "moved":
        path.rename(tmp_path / "old")
    elif how == "removed":
        path.unlink()
    else:
        os.truncate(path, 0)
    clock.seconds += CHECK_SECONDS
    file.write("after")
    assert path.read_text() == "after\n"


def test_several_processes_rotate_one_file_without_losing_or_dividing_a_line(tmp_path: Path) -> None:
    """As several roles of one machine with one path would."""
    path, lines = tmp_path / "all.log", 2_000
    commands = [[sys.executable, "-c", WRITER, str(path), name, str(lines)] for name in "abc"]
    writers = [subprocess.Popen(command) for command in commands]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    found = [json.loads(line) for each in tmp_path.iterdir() for line in each.read_text().splitlines()]
    assert len(list(tmp_path.iterdir())) > 10
    assert sorted((each["writer"], each["number"]) for each in found) == [
        (name, number) for name in "abc" for number in range(lines)
    ]


def test_a_file_that_cannot_be_written_costs_lines_and_no_work(
    open_file: Callable[..., LogFile], tmp_path: Path
) -> None:
    """/dev/full takes the open and refuses every byte; lines are written again once the path is a disk's."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "kascribe.log").symlink_to("/dev/full")
    clock = HandClock()
    file = open_file(clock, limit_bytes=0)
    for _ in range(3):
        file.write("lost")
    assert file.problem is not None
    assert file.problem.errno == errno.ENOSPC
    (tmp_path / "log" / "kascribe.log").unlink()
    clock.seconds += CHECK_SECONDS
    file.write("kept")
    assert [file.take_lost_lines(), file.take_lost_lines()] == [3, 0]
    assert (tmp_path / "log" / "kascribe.log").read_text() == "kept\n"


def test_a_file_that_cannot_be_rotated_grows_and_says_so_once(tmp_path: Path) -> None:
    """A folder in the way stands for a directory in which the user may rename nothing, as /var/log."""
    path, clock = tmp_path / "kascribe.log", HandClock()
    upkeep = LogUpkeep(RepeatedLines(clock))
    upkeep.file = LogFile(path, limit_bytes=50, kept_files=1, clock=clock, on_change=upkeep.wake)
    in_the_way = tmp_path / "kascribe.log.1"
    in_the_way.mkdir()
    with structlog.testing.capture_logs() as said:
        for number in range(20):
            upkeep.file.write(f"line {number:20}")
            upkeep.report()
            clock.seconds += RETRY_SECONDS / 4
    assert [(line["event"], line["error"]) for line in said] == [("log file cannot be rotated", "Is a directory")]
    assert (len(path.read_text().splitlines()), upkeep.file.take_lost_lines()) == (20, 0)
    in_the_way.rmdir()
    clock.seconds += RETRY_SECONDS
    upkeep.file.write("after")
    assert path.read_text() == "after\n"
    assert len(in_the_way.read_text().splitlines()) == 20
    assert upkeep.file.rotation_problem is None


def _may_mount() -> bool:
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_a_full_disk_is_said_once_on_standard_error_and_the_file_goes_on_afterwards(tmp_path: Path) -> None:
    """A real file system of 64 KiB: all lines are on stderr, and those that had room in the file."""
    if not _may_mount():
        pytest.skip("mounting a file system needs root and unshare(1)")
    mounted = 'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"'
    inside = ["unshare", "-m", "sh", "-c", mounted, "sh", str(tmp_path)]
    command = [*inside, sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    said = [json.loads(line) for line in ended.stderr.splitlines()]
    names = [line["event"] for line in said]
    assert (names.count("on a full disk"), names[-1]) == (300, "the process ends")
    assert names.count("log file cannot be written") <= 1
    written = [line for line in ended.stdout.splitlines() if line]
    whole = [json.loads(line)["event"] for line in written if line.endswith("}")]
    assert (whole[0], whole[-1]) == ("before", "the process ends")
    assert "after" in whole
    assert len(whole) < len(names)
    assert len(written) - len(whole) <= 1, "at most the line that the disk cut off is no JSON"


def test_the_log_says_that_its_file_fails_and_that_it_is_written_again(tmp_path: Path) -> None:
    """Who reads standard error learns it at once, and who reads the file how many lines it lacks."""
    path = tmp_path / "kascribe.log"
    path.symlink_to("/dev/full")
    script = (
        "import sys; from pathlib import Path; from kascribe.process import logs; "
        "from schemas.settings import LogSettings; import structlog; path = Path(sys.argv[1]); "
        "logs.configure_process(LogSettings(format='json', file=path, file_limit_bytes=0)); "
        "log = structlog.get_logger(); log.info('lost'); sys.stdin.readline(); path.unlink(); "
        "\nfor line in sys.stdin: log.info('more')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin
        assert process.stderr
        said = [json.loads(process.stderr.readline()) for _ in range(2)]
        assert [line["event"] for line in said] == ["lost", "log file cannot be written"]
        assert said[1]["error"] == "No space left on device"
        process.stdin.write("remove\n")

        def is_written() -> bool:
            print("more", file=process.stdin, flush=True)
            return path.is_file() and "log file is written again" in path.read_text()

        eventually(is_written, timeout_seconds=30, interval_seconds=0.1, what="the file")
        process.stdin.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert next(line for line in lines if line["event"] == "log file is written again")["lost_lines"] >= 1


def test_a_log_file_that_cannot_be_opened_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    """Before any work begins, and as a line of JSON like all others."""
    (tmp_path / "file").write_text("")
    environment = {**os.environ, "KASCRIBE_LOG_FILE": str(tmp_path / "file" / "{role}.log")}
    command = [sys.executable, "-m", "kascribe", "run", "gateway"]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    (line,) = map(json.loads, ended.stderr.splitlines())
    assert (ended.returncode, line["event"]) == (2, "the process ends")
    assert f"{tmp_path}/file/gateway.log cannot be opened" in line["why"]
    assert "KASCRIBE_LOG_FILE" in line["why"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_the_file_says_why_the_process_ended_also_where_a_terminal_has_the_sentence(
    tmp_path: Path, form: str
) -> None:
    """Once, and as its last line."""
    environment = {
        **os.environ,
        "KASCRIBE_LOG_FILE": str(tmp_path / "{role}.log"),
        "KASCRIBE_LOG_FORMAT": form,
        "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    }
    command = [sys.executable, "-m", "kascribe", "run", "gateway"]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    lines = [json.loads(line) for line in (tmp_path / "gateway.log").read_text().splitlines()]
    assert [line["event"] for line in lines].count("the process ends") == 1
    assert "no broker answers" in lines[-1]["why"]
    assert ended.stderr.count("no broker answers") == 1
    assert ended.stderr.splitlines()[-1].startswith("kascribe: no broker" if form == "console" else "{")
