"""Tests that signal a child work where the signal is ignored, as it is in the background or under nohup."""

import signal
import subprocess
import sys
from typing import Final

import pytest

CHILD: Final = "import os, signal, sys; os.kill(os.getpid(), int(sys.argv[1]))"
PARENT: Final = f"""
import signal, subprocess, sys
from tests.support.interrupting import interruptible

number = int(sys.argv[1])
child = [sys.executable, "-c", {CHILD!r}, sys.argv[1]]
assert subprocess.run(child).returncode == 0
with interruptible():
    ended = subprocess.run(child, stderr=subprocess.DEVNULL).returncode
assert signal.getsignal(number) is signal.SIG_IGN
sys.exit(0 if ended == -number else 1)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["SIGINT", "SIGHUP"])
def test_a_child_can_be_signalled_although_this_process_cannot(number: signal.Signals) -> None:
    """Within the context alone; afterwards the signal is ignored again."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        parent = [sys.executable, "-c", PARENT, str(int(number))]
        ended = subprocess.run(parent, check=False, timeout=60, capture_output=True, text=True)
    finally:
        signal.signal(number, before)
    assert ended.returncode == 0, ended.stderr
