"""``kascribe transcribe`` for several files: one model, one output for each, and nothing written over."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from kascribe.cli import app
from kascribe.commands.transcripts.printing import TranscriptRow
from models.selftest import SELFTEST_MODEL_NAME, clips
from schemas.errors import ConfigurationError
from tests.support.interrupting import interruptible
from tests.support.terminals import Where, kascribe

MODEL: Final = ("--model", SELFTEST_MODEL_NAME)
CLIP: Final = next(clip for clip in clips() if clip.text)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with recordings, one of which is none."""
    sound = CLIP.path.read_bytes()
    for name, content in {"rec/a.ogg": sound, "rec/deep/b.ogg": sound, "rec/c.wav": b"notes"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_several_texts_have_a_line_with_their_names_and_failures_come_last(folder: Path) -> None:
    """As ``head`` does; on a terminal the bars are gone in the end."""
    ran = kascribe(["transcribe", "rec", *MODEL], Where.TERMINAL, folder)
    assert ran.exit_code == 1
    assert re.findall(r"==> (.*?) <==", ran.screen) == ["rec/a.ogg", "rec/deep/b.ogg"]
    assert ran.screen.count(CLIP.text) == 2
    assert ran.screen.index("2 of 3 done, 1 failed:") < ran.screen.index("rec/c.wav: audio_undecodable: ")


def test_one_text_has_no_line_with_its_name() -> None:
    """A script reads it as it is."""
    assert CliRunner().invoke(app, ["transcribe", "rec/a.ogg", *MODEL]).stdout.strip() == CLIP.text


def test_each_file_has_an_output_that_is_not_written_over(folder: Path) -> None:
    """Folders are kept; a second run is refused before anything is transcribed, unless it is forced."""
    command = ["transcribe", "rec/a.ogg", "rec/deep", "--as", "srt", "--output-dir", "out", *MODEL]
    first = CliRunner().invoke(app, command)
    assert (first.exit_code, first.stdout) == (0, "")
    assert f"rec/a.ogg: written to {Path('out', 'a.ogg.srt')}" in first.stderr
    corrected = folder / "out" / "b.ogg.srt"
    assert "-->" in corrected.read_text()
    corrected.write_text("corrected by hand")
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, ConfigurationError)
    assert "--force replaces what is there" in str(refused.exception)
    assert corrected.read_text() == "corrected by hand"
    assert CliRunner().invoke(app, [*command, "--force", "--quiet"]).stderr == ""
    assert "-->" in corrected.read_text()


def test_rows_of_json_have_the_transcripts_and_the_failures() -> None:
    """One line for each file, in their order, whatever their fate."""
    ran = CliRunner().invoke(app, ["transcribe", "rec", "--json", *MODEL])
    assert ran.exit_code == 1
    rows = [TranscriptRow.model_validate_json(line) for line in ran.stdout.splitlines()]
    assert [(row.name, row.status) for row in rows] == [
        ("a.ogg", "completed"),
        ("c.wav", "failed"),
        ("deep/b.ogg", "completed"),
    ]
    assert rows[0].text == CLIP.text
    assert rows[0].segments[0]["end"] > 0
    assert rows[1].failure is not None
    assert rows[1].failure.reason == "audio_undecodable"
    assert rows[1].failure.remedy


def test_standard_input_is_transcribed() -> None:
    """Also where it has to be sought in, which a pipe cannot do."""
    ran = CliRunner().invoke(app, ["transcribe", "-", "--json", *MODEL], input=CLIP.path.read_bytes())
    row = TranscriptRow.model_validate_json(ran.stdout)
    assert (row.name, row.text) == ("stdin", CLIP.text)


def test_ctrl_c_ends_the_command_without_a_traceback(folder: Path) -> None:
    """With exit code 130, while recordings are still in work; no file is half written."""
    sound = CLIP.path.read_bytes()
    for number in range(40):
        (folder / "rec" / f"{number}.ogg").write_bytes(sound)
    command = [sys.executable, "-m", "kascribe", "transcribe", "rec", "--output-dir", "out", *MODEL]
    with interruptible():
        started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ})
    with started as running:
        assert running.stderr is not None
        told = running.stderr.readline()
        running.send_signal(signal.SIGINT)
        told += running.stderr.read()
    assert running.returncode == 130
    assert "Traceback" not in told
    assert list((folder / "out").rglob("*.partial")) == []
    assert len(list((folder / "out").rglob("*.txt"))) < 40
