"""``kascribe up`` as a person runs it: a process, a folder, other terminals."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from kascribe.commands.selftest import words
from kascribe.embedded.session import Session
from models.selftest import SELFTEST_MODEL_NAME, Clip, clips
from tests.demo.role import free_port
from tests.waiting import eventually

START_TIMEOUT_SECONDS = 90
JOB_TIMEOUT_SECONDS = 60


@dataclass
class Up:
    """A running ``kascribe up``, and the home of the user who runs it."""

    process: subprocess.Popen[bytes]
    home: Path
    environment: dict[str, str]
    gateway_port: int

    @property
    def session_directory(self) -> Path:
        """Where the stack says that it runs."""
        return self.home / ".local" / "state" / "kascribe"

    def kascribe(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of the same user."""
        return subprocess.run(
            [sys.executable, "-m", "kascribe", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=JOB_TIMEOUT_SECONDS,
            check=False,
        )


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One embedded stack for the module; ended by SIGTERM, as a service manager would."""
    home = tmp_path_factory.mktemp("home")
    port = free_port()
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("KASCRIBE_KAFKA", "XDG_"))
    }
    environment = {
        **inherited,
        "HOME": str(home),
        "KASCRIBE_WHISPER_MODEL": os.environ.get("KASCRIBE_TEST_MODEL", SELFTEST_MODEL_NAME),
        "KASCRIBE_GATEWAY_PORT": str(port),
    }
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "kascribe", "up"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    running = Up(process, home, environment, port)
    try:
        eventually(
            lambda: _session(running),
            timeout_seconds=START_TIMEOUT_SECONDS,
            what="the embedded stack",
        )
        yield running
        process.send_signal(signal.SIGTERM)
        assert process.wait(JOB_TIMEOUT_SECONDS) == 0
        assert Session.current(running.session_directory) is None
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def clip() -> Clip:
    """A recording that the model knows."""
    return next(clip for clip in clips() if clip.text)


def _session(up: Up) -> Session | None:
    assert up.process.poll() is None, (up.home / "up.log").read_text()
    return Session.current(up.session_directory)


def test_a_dropped_file_becomes_files_of_text(up: Up, clip: Clip) -> None:
    """What lands in the drop folder, at any depth, is kept as text, subtitles and JSON under its name."""
    folder = up.home / "kascribe" / "drop" / "회의"
    folder.mkdir(parents=True)
    shutil.copy(clip.path, folder / "first meeting.ogg")
    kept = up.home / "kascribe" / "transcripts" / "회의"
    eventually(
        (kept / "first meeting.ogg.json").exists,
        timeout_seconds=JOB_TIMEOUT_SECONDS,
        what="the transcript's files",
    )
    assert words((kept / "first meeting.ogg.txt").read_text(encoding="utf-8"))
    assert "-->" in (kept / "first meeting.ogg.srt").read_text(encoding="utf-8")


def test_other_commands_find_the_stack(up: Up, clip: Clip) -> None:
    """``submit`` follows its job to the end, and ``show`` prints it in another form, with nothing configured."""
    submitted = up.kascribe("submit", str(clip.path), "--words")
    assert submitted.returncode == 0, submitted.stderr
    assert "completed" in submitted.stdout
    job_id = submitted.stdout.split("job ", 1)[1].split()[0]
    shown = up.kascribe("show", job_id, "--as", "vtt")
    assert shown.stdout.startswith("WEBVTT"), shown.stderr


def test_a_job_that_fails_is_told_and_can_be_looked_at(up: Up, tmp_path: Path) -> None:
    """``submit`` says why and exits with 1; ``dlq list`` shows the letter."""
    no_audio = tmp_path / "notes.wav"
    no_audio.write_text("these are notes")
    submitted = up.kascribe("submit", str(no_audio))
    assert submitted.returncode == 1
    assert "failed" in submitted.stdout
    listed = up.kascribe("dlq", "list", "--reason", "audio_undecodable")
    assert "audio_undecodable" in listed.stdout, listed.stderr


def test_the_gateway_answers_with_the_text(up: Up, clip: Clip) -> None:
    """``POST /transcribe`` waits for the transcript and answers with it."""
    base_url = f"http://127.0.0.1:{up.gateway_port}"
    eventually(lambda: _is_up(base_url), timeout_seconds=START_TIMEOUT_SECONDS, what="the gateway")
    with clip.path.open("rb") as audio:
        answer = httpx.post(
            f"{base_url}/transcribe",
            files={"file": ("audio.ogg", audio)},
            data={"language": clip.language},
            timeout=JOB_TIMEOUT_SECONDS,
        )
    body = answer.json()
    assert (answer.status_code, body["success"], body["language"]) == (200, True, clip.language)
    assert body["text"]


def test_a_second_stack_is_refused(up: Up) -> None:
    """Two stacks of one user would take each other's place: the second says that one runs already."""
    second = up.kascribe("up")
    assert second.returncode == 2
    assert str(up.process.pid) in second.stderr


def _is_up(base_url: str) -> bool:
    try:
        return httpx.get(f"{base_url}/health").is_success
    except httpx.TransportError:
        return False
