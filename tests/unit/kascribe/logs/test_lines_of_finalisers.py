"""A finaliser may log at any moment, also on a thread that is writing a line: no line hangs, and each is whole."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from kascribe.process.safe_stream import WholeLines

LINES: Final = 20

SCRIPT: Final = f"""
import faulthandler, itertools, logging, sys, threading
from pathlib import Path
import structlog
from kascribe.process import logs
from schemas.settings import LogSettings

faulthandler.dump_traceback_later(60, exit=True)
folder = Path(sys.argv[1])
settings = LogSettings(format="json", file=folder / "role.log", file_limit_bytes=100_000, kept_files=99)
logs.configure_process(settings)
log, library, numbers, is_over = structlog.get_logger(), logging.getLogger("library"), itertools.count(), []

class Failing:
    def __del__(self):
        number = next(numbers)
        log.info("ours, of a finaliser", number=number)
        library.warning("theirs, of finaliser %sxx", number)
        raise ValueError(f"finaliser {{number}}xx")

def at_each_line(frame, event, _argument):
    if not frame.f_code.co_filename.endswith(("safe_stream.py", "log_file.py", "repeated_lines.py", "_output.py")):
        return None
    if event == "line":
        Failing()  # and dropped: what the collector would do here
    return at_each_line

def of_another_thread():
    for number in itertools.count():
        library.warning("theirs, of a thread %sxx", number)
        if is_over:
            return

thread = threading.Thread(target=of_another_thread)
thread.start()
sys.settrace(at_each_line)
for number in range({LINES}):
    log.info("ours", number=number)
    library.warning("theirs %sxx", number)
sys.settrace(None)
is_over.append(True)
thread.join()
logs.log_end("the end", None)
print(next(numbers))
"""


def test_no_line_waits_for_itself_and_none_is_divided_or_lost(tmp_path: Path) -> None:
    """In a process of its own, in which a finaliser logs at each line of the log's code while a thread logs too.

    It ends itself with the stacks of its threads when it hangs.
    """
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr[-4_000:]
    finalisers = int(ended.stdout)
    assert finalisers > LINES * 20
    in_files = "".join(path.read_text() for path in tmp_path.iterdir())
    for text in (ended.stderr, in_files):
        events = Counter(
            json.loads(line)["event"].split("xx")[0].rstrip("0123456789") for line in text.splitlines()
        )
        threads = events.pop("theirs, of a thread ")
        assert threads
        assert events == {
            "ours": LINES,
            "theirs ": LINES,
            "ours, of a finaliser": finalisers,
            "theirs, of finaliser ": finalisers,
            "an exception was ignored": finalisers,
            "the process ends": 1,
        }


def test_a_line_that_comes_within_a_write_follows_it() -> None:
    """Also where the write fails."""
    written: list[str] = []

    def write(line: str) -> None:
        written.append(line[:2])
        if line == "outer":
            lines.put("inner")
            written.append(line[2:])
            raise ZeroDivisionError
        written.append(line[2:])

    lines = WholeLines(write)
    with pytest.raises(ZeroDivisionError):
        lines.put("outer")
    lines.put("later")
    assert "".join(written) == "outerinnerlater"
