"""Ending exactly what was started."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.stack.errors import StackError
from deploy.stack.processes import Process, end, is_alive, start
from tests.support.waiting import eventually

SLEEPER = "import time; print('ready', flush=True); time.sleep(60)"
DEAF_SLEEPER = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER


def started(program: str, log: Path) -> Process:
    """Start a Python program and wait until it is past its first line."""
    process = start([sys.executable, "-c", program], log=log, environment=dict(os.environ))
    eventually(lambda: "ready" in log.read_text(), timeout_seconds=30, what="the program's first line")
    return process


def test_what_was_started_is_ended_and_its_end_waited_for(tmp_path: Path) -> None:
    """After `end` returns, nothing lives; ending it again does nothing."""
    process = started(SLEEPER, tmp_path / "log")
    assert is_alive(process)
    end([process], grace_seconds=30)
    assert not is_alive(process)
    end([process], grace_seconds=30)


def test_a_process_that_ignores_the_request_is_killed_after_its_grace(tmp_path: Path) -> None:
    """SIGTERM may be ignored, so there is a deadline; others are not kept waiting by it."""
    deaf, other = started(DEAF_SLEEPER, tmp_path / "deaf"), started(SLEEPER, tmp_path / "other")
    before = time.monotonic()
    end([deaf, other], grace_seconds=0.2)
    assert not is_alive(deaf)
    assert not is_alive(other)
    assert time.monotonic() - before < 5


@pytest.mark.parametrize("changed", [{"started_ticks": 1}, {"boot_id": "another boot"}])
def test_a_process_that_got_a_recorded_pid_later_is_left_alone(tmp_path: Path, changed: dict[str, object]) -> None:
    """A pid with another start time or another boot is another process."""
    process = started(SLEEPER, tmp_path / "log")
    end([replace(process, **changed)], grace_seconds=0)  # type: ignore[arg-type]
    assert is_alive(process)
    end([process], grace_seconds=0)


def test_a_child_that_ended_by_itself_is_not_alive(tmp_path: Path) -> None:
    """A child waits as a zombie until its parent asks for it; that does not count as living."""
    process = start([sys.executable, "-c", "pass"], log=tmp_path / "log", environment=dict(os.environ))
    eventually(lambda: not is_alive(process), timeout_seconds=30, what="the end of the child")


def test_output_is_appended_to_the_log(tmp_path: Path) -> None:
    """A restarted server does not erase what the one before it said."""
    log = tmp_path / "log"
    for text in ("first", "second"):
        program = f"import sys; print('{text}'); print('{text} error', file=sys.stderr)"
        process = start([sys.executable, "-c", program], log=log, environment=dict(os.environ))
        eventually(lambda process=process: not is_alive(process), timeout_seconds=30)  # type: ignore[misc]
    assert {"first", "first error", "second", "second error"} <= set(log.read_text().splitlines())


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error says what could not be started and why."""
    with pytest.raises(StackError, match="cannot start /nowhere/java: No such file"):
        start(["/nowhere/java"], log=tmp_path / "log", environment={})
