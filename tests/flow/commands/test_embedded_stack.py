"""``kascribe up`` as a person runs it: a process, a folder, other terminals."""

import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import numpy as np
import pytest

from kascribe.commands.installation.selftest import words
from kascribe.embedded.session import Session
from models.selftest import Clip, clips
from schemas.errors import Reason
from schemas.kafka.reasons import REASON_TEXTS
from tests.flow.embedded_up import JOB_TIMEOUT_SECONDS, START_TIMEOUT_SECONDS, Up, running_up
from tests.sound.recordings import FORMATS, read, write
from tests.support.interrupting import interruptible
from tests.support.terminals import Where, kascribe
from tests.support.waiting import eventually

DRAIN_TIMEOUT_SECONDS: Final = 120
LONG_CLIPS: Final = 30
"""As many as the model cannot be done with before it is stopped."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Run one embedded stack for the module; end it by SIGTERM, as a service manager would."""
    with running_up(tmp_path_factory.mktemp("home")) as running:
        yield running
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(JOB_TIMEOUT_SECONDS) == 0
        assert Session.current(running.session_directory) is None


@pytest.fixture
def clip() -> Clip:
    """Return a recording that the model knows."""
    return next(clip for clip in clips() if clip.text)


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


def test_files_are_as_open_as_the_user_s_umask_allows(up: Up, clip: Clip) -> None:
    """Others of the group may read transcripts where the user lets them; recordings stay the user's own."""
    shutil.copy(clip.path, up.home / "kascribe" / "drop" / "modes.ogg")
    kept = up.home / "kascribe" / "transcripts" / "modes.ogg.json"
    eventually(kept.exists, timeout_seconds=JOB_TIMEOUT_SECONDS, what="the transcript's files")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (kept, kept.parent, kept.with_suffix(".txt"))}
    assert list(modes.values()) == [0o640, 0o750, 0o640]
    objects = up.session_directory / "objects"
    assert stat.S_IMODE(objects.stat().st_mode) == 0o700
    assert list(objects.iterdir())


def test_an_empty_file_in_the_drop_folder_is_reported(up: Up) -> None:
    """It is no recording: the user gets a message instead of waiting for a transcript."""
    (up.home / "kascribe" / "drop" / "nothing.wav").touch()
    log = up.home / "up.log"
    eventually(
        lambda: "nothing.wav was not submitted: it is empty (0 bytes)" in log.read_text(encoding="utf-8"),
        timeout_seconds=JOB_TIMEOUT_SECONDS,
        what="word of the empty file",
    )


@pytest.mark.parametrize("where", Where)
def test_submitting_shows_progress_on_a_terminal_and_lines_in_a_file(
    up: Up, clip: Clip, tmp_path: Path, where: Where
) -> None:
    """Also both: the file gets its lines while the terminal shows the table."""
    (tmp_path / "good.ogg").write_bytes(clip.path.read_bytes())
    (tmp_path / "bad.wav").write_text("these are notes")
    ran = kascribe(["submit", "good.ogg", "bad.wav"], where, tmp_path, up.environment)
    assert ran.exit_code == 1
    summary = "1 of 2 done, 1 failed"
    if where is not Where.FILES:
        assert "good.ogg" in ran.screen
        assert summary in ran.screen
        assert REASON_TEXTS[Reason.AUDIO_UNDECODABLE].remedy in ran.screen
    if where is not Where.TERMINAL:
        assert "good.ogg: completed" in ran.stdout
        assert summary in ran.stdout
        assert "\x1b" not in ran.stdout


def test_other_commands_find_the_stack(up: Up, clip: Clip) -> None:
    """``submit`` follows its job to the end, and ``show`` prints it in another form, with nothing configured."""
    submitted = up.kascribe("submit", str(clip.path), "--words")
    assert submitted.returncode == 0, submitted.stderr
    assert "completed" in submitted.stdout
    job_id = submitted.stdout.split("job ", 1)[1].split()[0]
    shown = up.kascribe("show", job_id, "--as", "vtt")
    assert shown.stdout.startswith("WEBVTT"), shown.stderr


def test_a_job_that_fails_is_reported_and_can_be_inspected(up: Up, tmp_path: Path) -> None:
    """``submit`` prints the reason and exits with 1; ``dlq list`` shows the letter."""
    no_audio = tmp_path / "notes.wav"
    no_audio.write_text("these are notes")
    submitted = up.kascribe("submit", str(no_audio))
    assert submitted.returncode == 1
    assert "failed" in submitted.stdout
    listed = up.kascribe("dlq", "list", "--reason", "audio_undecodable")
    assert "audio_undecodable" in listed.stdout, listed.stderr


def test_the_gateway_answers_with_the_text(up: Up, clip: Clip) -> None:
    """``POST /transcribe`` waits for the transcript and returns it."""
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


def test_a_key_that_was_used_before_is_answered_at_once_or_refused(up: Up, clip: Clip) -> None:
    """The same audio gives the finished job, anything else an error: no command waits for a past event."""
    other = next(each for each in clips() if each.text and each.name != clip.name)
    first = up.kascribe("submit", "--key", "call-7", str(clip.path))
    again = up.kascribe("submit", "--key", "call-7", str(clip.path))
    assert (first.returncode, again.returncode) == (0, 0), again.stderr
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
    for arguments in ([str(other.path)], ["--words", str(clip.path)]):
        refused = up.kascribe("submit", "--key", "call-7", *arguments)
        assert refused.returncode == 2
        assert "use another key" in refused.stderr


def test_what_can_never_be_answered_is_refused_before_it_is_uploaded(up: Up, clip: Clip, tmp_path: Path) -> None:
    """One key for two files, an enrichment without an enricher, a folder without a file."""
    two_files = up.kascribe("submit", "--key", "call-8", *(str(each.path) for each in clips()[:2]))
    enriched = up.kascribe("submit", "--profile", "summary", str(clip.path))
    empty = up.kascribe("submit", str(tmp_path))
    assert [each.returncode for each in (two_files, enriched, empty)] == [2, 2, 2]
    assert "--key" in two_files.stderr
    assert "KASCRIBE_VLLM_BASE_URL" in enriched.stderr
    assert "no audio or video is in" in empty.stderr


def test_files_of_one_name_are_submitted_and_kept_each_by_itself(up: Up, clip: Clip, tmp_path: Path) -> None:
    """A directory's files are named by their path within it."""
    for name in ("one/audio.ogg", "two/audio.ogg"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(clip.path, tmp_path / name)
    submitted = up.kascribe("submit", str(tmp_path))
    assert "one/audio.ogg: completed" in submitted.stdout, submitted.stderr
    assert "two/audio.ogg: completed" in submitted.stdout
    kept = up.home / "kascribe" / "transcripts"
    eventually(
        lambda: len(list(kept.glob("*/audio.ogg-*.json"))) == 2,
        timeout_seconds=JOB_TIMEOUT_SECONDS,
        what="the transcripts' files",
    )


def test_interrupting_a_wait_for_a_job_prints_how_to_see_it_later(up: Up, clip: Clip, tmp_path: Path) -> None:
    """Ctrl-C ends the command, not the job."""
    write(tmp_path / "long.wav", np.tile(read(clip.path), LONG_CLIPS), FORMATS["wav, 8 kHz stereo"])
    command = [sys.executable, "-m", "kascribe", "submit", str(tmp_path / "long.wav")]
    with interruptible():
        started = subprocess.Popen(command, env=up.environment, stdout=subprocess.PIPE, text=True)
    with started as waiting:
        assert waiting.stdout is not None
        output = ""
        while "long.wav: fetching" not in output:
            output += waiting.stdout.readline()
        waiting.send_signal(signal.SIGINT)
        output += waiting.stdout.read()
    assert waiting.returncode == 130
    job_id = output.split("job ", 1)[1].split()[0]
    assert f"kascribe show {job_id}" in output.splitlines()[-1]
    eventually(
        lambda: up.kascribe("show", job_id).returncode == 0,
        timeout_seconds=START_TIMEOUT_SECONDS,
        interval_seconds=1,
        what="the job's transcript",
    )


def test_the_gateway_refuses_at_once_an_enrichment_without_an_enricher(up: Up, clip: Clip) -> None:
    """No need to wait: `kascribe up` knows that no enricher runs; the error names the variable to set."""
    base_url = f"http://127.0.0.1:{up.gateway_port}"
    eventually(lambda: _is_up(base_url), timeout_seconds=START_TIMEOUT_SECONDS, what="the gateway")
    with clip.path.open("rb") as audio:
        answer = httpx.post(
            f"{base_url}/transcribe-and-process",
            files={"file": ("audio.ogg", audio)},
            data={"profiles": "summary"},
            timeout=JOB_TIMEOUT_SECONDS,
        )
    assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "enrichment_off")
    assert "KASCRIBE_VLLM_BASE_URL" in answer.json()["error"]["message"]


def test_what_is_in_flight_when_the_stack_stops_is_kept(clip: Clip, tmp_path: Path) -> None:
    """The topics end with the stack, so what the consumers finish on their way out would be lost."""
    with running_up(tmp_path, KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS=str(DRAIN_TIMEOUT_SECONDS)) as up:
        write(tmp_path / "long.wav", np.tile(read(clip.path), LONG_CLIPS), FORMATS["wav, 8 kHz stereo"])
        (tmp_path / "long.wav").replace(tmp_path / "kascribe" / "drop" / "long.wav")
        log = tmp_path / "up.log"
        eventually(
            lambda: "long.wav: decoding" in log.read_text(encoding="utf-8"),
            timeout_seconds=START_TIMEOUT_SECONDS,
            what="the job's start",
        )
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(2 * DRAIN_TIMEOUT_SECONDS) == 0
        output = log.read_text(encoding="utf-8")
        assert output.index("Draining") < output.index("long.wav: completed")
        assert words((tmp_path / "kascribe" / "transcripts" / "long.wav.txt").read_text(encoding="utf-8"))


def test_a_second_stack_is_refused(up: Up) -> None:
    """Two stacks of one user would get into each other's way: the second reports that one runs already."""
    second = up.kascribe("up")
    assert second.returncode == 2
    assert str(up.process.pid) in second.stderr


def test_a_transcript_s_folder_within_the_drop_folder_is_refused(tmp_path: Path) -> None:
    """Transcripts would be taken for audio, and so would the transcripts of those, without end."""
    command = [
        sys.executable,
        "-m",
        "kascribe",
        "up",
        "--drop",
        str(tmp_path),
        "--transcripts",
        str(tmp_path / "t"),
    ]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=JOB_TIMEOUT_SECONDS, check=False)
    assert refused.returncode == 2
    assert "--transcripts" in refused.stderr


def _is_up(base_url: str) -> bool:
    try:
        return httpx.get(f"{base_url}/health").is_success
    except httpx.TransportError:
        return False
