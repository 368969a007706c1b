"""Completion by the shells: what Tab offers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from kascribe.cli import app
from tests.support.listening import missing

COMMAND: Final = "kascribe"


def offered(shell: str, words: list[str]) -> list[str]:
    """Return what a shell gets for the last of the words that were typed after ``kascribe``."""
    typed = [COMMAND, *words]
    variables = {
        "_KASCRIBE_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": " ".join(typed),
        "COMP_CWORD": str(len(words)),
        "_TYPER_COMPLETE_ARGS": " ".join(typed),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    return CliRunner().invoke(app, [], env=variables, prog_name=COMMAND).output.split("\n")[:-1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tran"], ["transcribe"]),
        (["dlq", "re"], ["redrive"]),
        (["submit", "--pro"], ["--prompt", "--profile"]),
        (["transcribe", "--as", "s"], ["srt"]),
        (["submit", "--profile", "sum"], ["summary"]),
        (["submit", "--language", "ko"], ["ko"]),
        (["transcribe", "--model", "large-v3"], ["large-v3", "large-v3-turbo"]),
        (["models", "pull", "turb"], ["turbo"]),
        (["dlq", "list", "--reason", "audio_n"], ["audio_not_found"]),
        (["transcribe", "--device", "cu"], ["cuda"]),
        (["run", "trans"], ["transcriber"]),
    ],
)
def test_bash_is_offered_commands_options_and_values(words: list[str], expected: list[str]) -> None:
    """Enumerations, languages, profiles and models; job ids would need a server at every Tab."""
    assert offered("bash", words) == expected


def test_bash_completes_files_itself() -> None:
    """Nothing is offered for a file, so the shell falls back to its own completion."""
    assert offered("bash", ["submit", "meet"]) == [""]


def test_fish_and_zsh_are_offered_the_same_with_their_meanings() -> None:
    """Each in the form that its shell reads."""
    assert offered("fish", ["submit", "--language", "ko"]) == ["ko\tKorean"]
    assert offered("zsh", ["submit", "--language", "ko"]) == ["""_arguments '*: :(("ko":"Korean"))'"""]


def test_stored_models_are_offered_where_a_model_of_this_disk_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``models remove`` offers what is there."""
    (tmp_path / "Systran--faster-whisper-tiny").mkdir()
    monkeypatch.setenv("KASCRIBE_WHISPER_MODELS_DIRECTORY", str(tmp_path))
    assert offered("bash", ["models", "remove", "Sys"]) == ["Systran--faster-whisper-tiny"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_lines_for_each_shell_name_the_command(shell: str) -> None:
    """What ``--show-completion`` prints in that shell."""
    script = CliRunner().invoke(app, [], env={"_KASCRIBE_COMPLETE": f"source_{shell}"}, prog_name=COMMAND).output
    assert f"complete_{shell}" in script
    assert COMMAND in script


def test_a_real_bash_completes_after_the_installation(tmp_path: Path) -> None:
    """``--install-completion`` finds the shell that it was typed in, and writes into its user's home alone."""
    if shutil.which("bash") is None:
        missing("bash")
    here = Path(sys.executable).parent
    program = """
        kascribe --install-completion || exit 1
        source ~/.bashrc
        COMP_WORDS=(kascribe transcribe --as s) COMP_CWORD=3
        _kascribe_completion kascribe
        printf '%s\\n' "${COMPREPLY[@]}"
        complete -p kascribe
    """
    ran = subprocess.run(
        ["bash", "--norc", "-c", program],
        env={**os.environ, "HOME": str(tmp_path), "PATH": f"{here}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    *_, form, registered = ran.stdout.splitlines()
    assert form == "srt"
    assert "-o default" in registered
    assert {path.name for path in tmp_path.iterdir()} == {".bashrc", ".bash_completions"}
