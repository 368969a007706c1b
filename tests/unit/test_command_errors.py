"""What a person reads when a command cannot do what it is asked: one sentence that says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kascribe.cli import main
from kascribe.commands.transcribe import _targets
from schemas.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without settings, on whose machine nothing runs."""
    for name in list(os.environ):
        if name.startswith("KASCRIBE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Exit code and error of a command."""
    monkeypatch.setattr(sys, "argv", ["kascribe", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        (("submit", "s3://audio/a.wav"), "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS"),
        (("watch",), "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS"),
        (("show", "job"), "KASCRIBE_S3_ENDPOINT_URL"),
    ],
)
def test_a_command_that_finds_no_system_says_how_to_start_or_name_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], setting: str
) -> None:
    """Not a client's error about an address that nobody gave."""
    code, sentence = said(capsys, monkeypatch, *arguments)
    assert code == 2
    assert "`kascribe up`" in sentence
    assert setting in sentence


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """It names the file that is in the way; no traceback."""
    (tmp_path / "file").touch()
    options = ["--model", "selftest", "--no-gateway", "--drop", str(tmp_path / "file" / "drop")]
    # A process of its own: the stack has signals and credentials of the whole process.
    ended = subprocess.run(
        [sys.executable, "-m", "kascribe", "up", *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"kascribe: {tmp_path / 'file'}")
    assert ended.stderr.count("\n") == 1


def test_two_files_of_one_name_are_not_written_over_each_other(tmp_path: Path) -> None:
    """Before anything is transcribed; the same file twice is one file."""
    one, other = tmp_path / "one" / "a.wav", tmp_path / "other" / "a.wav"
    with pytest.raises(ConfigurationError, match="give each an --output of its own"):
        _targets([one, other], tmp_path / "out", "txt")
    assert _targets([one, one], tmp_path / "out", "txt") == {one: tmp_path / "out" / "a.wav.txt"}
    assert (tmp_path / "out").is_dir()


def test_a_directory_that_cannot_be_made_is_said_before_anything_is_transcribed(tmp_path: Path) -> None:
    """By the option that named it."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"--output .*file/out cannot be made"):
        _targets([Path("a.wav")], tmp_path / "file" / "out", "txt")
