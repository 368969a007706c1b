"""No usage reports: no connection leaves the machine, no file appears in a home directory."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support.confinement import without_internet
from tests.support.listening import model_directory, speech
from tests.support.waiting import eventually

REPOSITORY: Final = Path(__file__).parents[3]
REPORT_SECONDS: Final = 12.0
"""onnxruntime 1.32 first connects nine seconds after it was loaded."""

LISTEN: Final = """
import sys
from pathlib import Path
from models.media.pool import DecoderPool
from schemas.clock import SystemClock
from schemas.settings import WhisperSettings
pool = DecoderPool(WhisperSettings(decoder_processes=1), clock=SystemClock())
pool.wait_ready()
print(*pool.pids(), flush=True)
sys.stdin.read()
"""
"""A role's decoders, started as the roles start them, until its input ends."""


def environment(home: Path, **said: str) -> dict[str, str]:
    """Return a user's environment with nothing else set."""
    quiet = {name: text for name, text in os.environ.items() if "TELEMETRY" not in name and name != "CI"}
    return (
        quiet | {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PYTHONPATH": str(REPOSITORY)} | said
    )


def files(home: Path) -> list[Path]:
    """List everything that was left there."""
    return [path for path in home.rglob("*") if path.is_file()]


def python(code: str, variables: Mapping[str, str]) -> str:
    """Return what a new interpreter prints."""
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def confined() -> Callable[[], None]:
    """Check first that the kernel ends a process that looks up a name, so that silence below means silence."""
    confine = without_internet()
    code = "import socket; socket.socket(socket.AF_UNIX); socket.getaddrinfo('nowhere.invalid', 80)"
    ended = subprocess.run([sys.executable, "-c", code], preexec_fn=confine, check=False, capture_output=True)
    assert ended.returncode == -signal.SIGSYS, ended.stderr
    return confine


def test_decoders_connect_to_nothing_and_leave_nothing(confined: Callable[[], None], tmp_path: Path) -> None:
    """They load onnxruntime, which would report its use within seconds."""
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", LISTEN],
        env=environment(tmp_path),
        preexec_fn=confined,  # noqa: PLW1509 - no other thread of a test holds a lock
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        (decoder,) = map(int, parent.stdout.readline().split())
        assert b"ORT_DISABLE_TELEMETRY=1" in Path(f"/proc/{decoder}/environ").read_bytes().split(b"\0")
        eventually(lambda: time.monotonic() - started > REPORT_SECONDS, timeout_seconds=2 * REPORT_SECONDS)
        assert Path(f"/proc/{decoder}").exists()
        assert "State:\tZ" not in Path(f"/proc/{decoder}/status").read_text()
        parent.stdin.close()
        assert parent.wait(60) == 0
    assert files(tmp_path) == []


def test_transcribing_a_file_connects_to_nothing_and_leaves_nothing(
    confined: Callable[[], None], tmp_path: Path
) -> None:
    """The command line, engine and decoders included: a private recording stays with its owner."""
    command = ["-m", "kascribe", "transcribe", str(speech("en-digits.ogg")), "--model", str(model_directory())]
    made = subprocess.run(
        [sys.executable, "-P", *command],
        env=environment(tmp_path),
        cwd=tmp_path,
        preexec_fn=confined,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (made.returncode, made.stdout.strip()) == (0, "zero one two three seven eight nine"), made.stderr
    assert files(tmp_path) == []


def test_an_operator_who_wants_reports_has_them(tmp_path: Path) -> None:
    """What is set stands, in our process and in the decoders; here it shows that the file would be seen."""
    code = "from models.media.process import _environment as e; print(e()['ORT_DISABLE_TELEMETRY'])"
    assert python(code, environment(tmp_path)) == "1"
    assert python(code, environment(tmp_path, ORT_DISABLE_TELEMETRY="0")) == "0"
    load = "import models.media.speech.silero as silero; silero.load_session()"
    python(load, environment(tmp_path))
    assert files(tmp_path) == []
    python(load, environment(tmp_path, ORT_DISABLE_TELEMETRY="0"))
    assert files(tmp_path) != []


def test_the_hub_learns_no_more_than_what_is_fetched(tmp_path: Path) -> None:
    """Requests for models do not list what else is installed."""
    code = (
        "import models.store.hub; from huggingface_hub import constants; print(constants.HF_HUB_DISABLE_TELEMETRY)"
    )
    assert python(code, environment(tmp_path)) == "True"
    assert python(code, environment(tmp_path, HF_HUB_DISABLE_TELEMETRY="0")) == "False"
