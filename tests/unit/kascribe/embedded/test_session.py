"""Who may be a user's embedded stack, and who is believed to be one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kascribe.embedded.session import FILE_NAME, Session, locked_session
from schemas.errors import ConfigurationError

SESSION = Session(
    pid=1,
    bootstrap_servers="127.0.0.1:1",
    s3_endpoint_url="http://127.0.0.1:2",
    bucket="audio",
    access_key="embedded",
    gateway_url=None,
    transcripts_directory="transcripts",
    model="selftest",
    roles=("transcriber",),
)
RUN = """
import os, signal, sys
from pathlib import Path
from kascribe.embedded.session import locked_session
from tests.unit.kascribe.embedded.test_session import SESSION
with locked_session(Path(sys.argv[1])) as lock, lock.announced(SESSION):
    print("announced", flush=True)
    signal.pause()
"""


def test_a_stack_is_found_while_it_runs(tmp_path: Path) -> None:
    """By whoever looks, as often as they look; its file is the user's alone."""
    with locked_session(tmp_path) as lock:
        assert Session.current(tmp_path) is None
        with lock.announced(SESSION):
            assert [Session.current(tmp_path) for _ in range(2)] == [SESSION, SESSION]
            assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0
        assert Session.current(tmp_path) is None
    with locked_session(tmp_path):
        pass


def test_of_two_that_start_together_one_is_refused(tmp_path: Path) -> None:
    """Before it has started anything, and also while the first has nothing to say of itself yet."""
    with locked_session(tmp_path) as lock:
        with pytest.raises(ConfigurationError, match="just starting"), locked_session(tmp_path):
            pass
        with (
            lock.announced(SESSION),
            pytest.raises(ConfigurationError, match="process 1"),
            locked_session(tmp_path),
        ):
            pass


def test_a_stack_that_was_killed_is_not_believed_whoever_has_its_process_number(tmp_path: Path) -> None:
    """Process 1 runs for ever, and is no stack."""
    with subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"announced\n"
        assert Session.current(tmp_path) == SESSION
        os.kill(process.pid, signal.SIGKILL)
    assert "127.0.0.1:1" in (tmp_path / FILE_NAME).read_text()
    assert Session.current(tmp_path) is None
