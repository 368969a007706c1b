"""What a process says without a log call of ours is a line of its log as well, and JSON where that is JSON."""

import json
import subprocess
import sys
from typing import Any, Final

import pytest

PROCESS: Final = """
import asyncio, sys, threading, warnings
from kascribe.process import logs
from kascribe.process.endings import ended_by_dead_threads
from schemas.settings import LogSettings

logs.configure_process(LogSettings(format=sys.argv[1]))

class Broken:
    def __del__(self):
        raise ValueError("planted in a destructor")

async def fail():
    raise LookupError("planted in a task")

async def leave_a_task():
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task

def die():
    raise ZeroDivisionError("planted in a thread")

warnings.warn("planted warning", DeprecationWarning, stacklevel=1)
Broken()
asyncio.run(leave_a_task())
if sys.argv[2] == "thread":
    with ended_by_dead_threads():
        threading.Thread(target=die, name="worker").start()
        threading.Event().wait()
raise RuntimeError("planted at the end")
"""


def _run(form: str, how: str) -> tuple[int, str]:
    command = [sys.executable, "-W", "always", "-c", PROCESS, form, how]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(("how", "code"), [("thread", 70), ("main", 1)])
def test_warnings_tasks_threads_and_destructors_write_one_json_object_a_line(how: str, code: int) -> None:
    """Each with its traceback in a field, and the last one says why the process ends."""
    exit_code, text = _run("json", how)
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert exit_code == code
    whole = [json.dumps(line) for line in lines]
    for planted in ("planted warning", "planted in a destructor", "planted in a task"):
        assert len([line for line in whole if planted in line]) == 1, planted
    by_event = {line["event"]: line for line in lines}
    assert "ValueError: planted in a destructor" in by_event["an exception was ignored"]["exception"]
    assert "LookupError" in next(line for line in lines if line.get("logger") == "asyncio")["exception"]
    last = lines[-1]
    assert last["event"] == "the process ends"
    assert ("planted in a thread" if how == "thread" else "planted at the end") in last["why"]


def test_on_a_terminal_the_same_is_text_for_people() -> None:
    """With a traceback over several lines, and no JSON."""
    exit_code, text = _run("console", "main")
    assert exit_code == 1
    assert "planted warning" in text
    assert "RuntimeError: planted at the end" in text
    assert "{" not in text.replace("{self", "")
