"""Tests that interrupt a child work where SIGINT is ignored, as it is for jobs in the background."""

import signal
import subprocess
import sys

CHILD = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
PARENT = f"""
import signal, subprocess, sys
from tests.interrupting import interruptible

child = [sys.executable, "-c", {CHILD!r}]
assert subprocess.run(child).returncode == 0
with interruptible():
    ended = subprocess.run(child, stderr=subprocess.DEVNULL).returncode
assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
sys.exit(0 if ended == -signal.SIGINT else 1)
"""


def test_a_child_can_be_interrupted_although_this_process_cannot() -> None:
    """Within the context alone; afterwards SIGINT is ignored again."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        parent = [sys.executable, "-c", PARENT]
        ended = subprocess.run(parent, check=False, timeout=60, capture_output=True, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.returncode == 0, ended.stderr
