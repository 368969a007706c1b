"""A transcriber works within the system calls that its unit allows, its decoders' sandbox included."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.contract.installation.unit_filter import filter_of, under_filter
from tests.support.listening import missing, model_directory, speech

UNIT: Final = Path(__file__).parents[3] / "deploy" / "systemd" / "kascribe@.service"


@pytest.fixture(autouse=True)
def _needs_systemd() -> None:
    if shutil.which("systemd-analyze") is None:
        missing("no systemd-analyze on PATH")


def python(*arguments: str, without: frozenset[str] = frozenset()) -> subprocess.CompletedProcess[str]:
    """Run Python under the unit's filter, less some calls."""
    allowed, otherwise = filter_of(UNIT)
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "KASCRIBE_WHISPER_DECODER_SANDBOX": "required"},
        preexec_fn=under_filter(allowed - without, otherwise),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_decoders_are_confined_within_the_filter_of_the_unit() -> None:
    """Each decoder installs seccomp and Landlock by itself; the settings here require that both are in force."""
    command = ["-m", "kascribe", "transcribe", str(speech("en-digits.ogg")), "--model", str(model_directory())]
    heard = python(*command)
    assert (heard.returncode, heard.stdout.strip()) == (0, "zero one two three seven eight nine"), heard.stderr
    refused = python(*command, without=frozenset({"seccomp"}))
    assert refused.returncode != 0
    assert "does not keep decoders from" in refused.stderr


def test_a_refused_system_call_is_an_error_and_no_end() -> None:
    """A library that tries a call, and has another way, goes on; nothing dies of it."""
    tried = python("-c", "import os; os.chroot('/')")
    assert tried.returncode == 1, tried.returncode
    assert tried.returncode != -signal.SIGSYS
    assert "PermissionError" in tried.stderr
