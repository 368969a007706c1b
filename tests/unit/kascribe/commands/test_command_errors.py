"""What a person reads when a command cannot do what it is asked: one sentence that says what to do."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kascribe
from consumers import s3
from kascribe.cli import main
from producers import topics
from tests.demo.role import free_port
from tests.support.terminals import Where
from tests.support.terminals import kascribe as kascribe_on_a_terminal


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give the command a user without settings and without a running stack."""
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


def test_the_reconciler_is_named_where_it_is_run_as_a_role(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the role whose letters are nearest."""
    code, sentence = said(capsys, monkeypatch, "run", "reconciler")
    assert code == 2
    assert "`kascribe reconcile`" in sentence
    assert "transcriber?" not in sentence


USES_KAFKA = [
    ("watch",),
    ("dlq", "list"),
    ("dlq", "redrive"),
    ("dlq", "show", "t[0]@1"),
    ("submit", "s3://audio/a.wav"),
    ("results", "republish", "job"),
]


@pytest.fixture
def deaf() -> Iterator[str]:
    """Return the address of a program that accepts connections and never answers, as a frozen server does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("arguments", USES_KAFKA)
@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_broker_that_does_not_answer_is_one_sentence_with_its_address(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    deaf: str,
    arguments: tuple[str, ...],
    *,
    is_frozen: bool,
) -> None:
    """Whichever command needs it, and without the client's own lines."""
    monkeypatch.setattr("producers.topics.REACH_SECONDS", 0.5)
    address = deaf if is_frozen else f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("KASCRIBE_KAFKA_BOOTSTRAP_SERVERS", address)
    code, sentence = said(capsys, monkeypatch, *arguments)
    assert code == 1
    assert sentence.startswith(f"kascribe: no broker answers at {address} (KASCRIBE_KAFKA_BOOTSTRAP_SERVERS): ")
    assert sentence.count("\n") == 1
    assert ("Connection refused" in sentence) is not is_frozen


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_store_that_does_not_answer_is_one_sentence_with_its_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, deaf: str, *, is_frozen: bool
) -> None:
    """A store that is frozen would else be waited for three times thirty seconds."""
    monkeypatch.setattr("consumers.s3.REACH_SECONDS", 0.5)
    address = f"http://{deaf}" if is_frozen else f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("KASCRIBE_S3_ENDPOINT_URL", address)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    code, sentence = said(capsys, monkeypatch, "show", "job")
    assert code == 1
    assert sentence.startswith(f"kascribe: no object store answers at {address} (KASCRIBE_S3_ENDPOINT_URL): ")
    assert sentence.count("\n") == 1


def test_what_a_command_needs_answers_within_five_seconds_or_is_told() -> None:
    """Both limits leave time for the command to start."""
    assert max(topics.REACH_SECONDS, s3.REACH_SECONDS) <= 4


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("submit", "--languge", "ko"), "No such option: --languge"),
        (("submit", "--\x1b[2J"), "No such option: --\\x1b[2J"),
        (("nonsense",), "No such command 'nonsense'"),
    ],
)
def test_what_cannot_be_typed_is_one_sentence_that_names_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], expected: str
) -> None:
    """Also names that a shell has put there from a directory's files."""
    code, sentence = said(capsys, monkeypatch, *arguments)
    assert code == 2
    assert expected in sentence
    assert "\x1b" not in sentence
    assert "--help` shows what it takes" in sentence


@pytest.mark.parametrize("command", ["submit", "transcribe"])
def test_a_file_that_is_not_there_is_one_sentence_with_the_nearest_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    """Before a model is loaded or a system is looked for; a name cannot control the terminal."""
    (tmp_path / "gone\x1b[2J.mp3").touch()
    code, sentence = said(capsys, monkeypatch, command, "gone\x1b[2J.wav")
    assert code == 2
    assert sentence == (
        "kascribe: there is no file or folder gone\\u001b[2J.wav: did you mean gone\\u001b[2J.mp3?\n"
    )


@pytest.mark.parametrize("arguments", [("show", "j", "--as", "str"), ("transcribe", __file__, "--as", "str")])
def test_a_form_that_is_mistyped_is_told_the_nearest_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """And by which command all of them are shown."""
    code, sentence = said(capsys, monkeypatch, *arguments)
    assert code == 2
    assert "'str'" in sentence
    assert "did you mean srt?" in sentence
    assert f"`kascribe {arguments[0]} --help` shows what it takes" in sentence


def test_without_a_model_a_user_is_told_how_to_get_one_and_how_to_try_without(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With sizes, in lines that fit 80 columns; nothing is fetched that was not asked for."""
    monkeypatch.setenv("KASCRIBE_WHISPER_MODELS_DIRECTORY", str(tmp_path / "models"))
    code, told = said(capsys, monkeypatch, "transcribe", __file__)
    assert code == 2
    assert "kascribe models pull large-v3-turbo" in told
    assert "1,620 MB" in told
    assert "--model selftest" in told
    assert "without network" not in told
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    _, offline = said(capsys, monkeypatch, "transcribe", __file__)
    assert "without network" in offline
    assert max(map(len, offline.splitlines())) <= 80


def test_standard_input_that_is_a_terminal_is_refused(tmp_path: Path) -> None:
    """A command that waits for keys to be pressed looks as if it hung."""
    ran = kascribe_on_a_terminal(["transcribe", "-", "--model", "selftest"], Where.TERMINAL, tmp_path)
    assert ran.exit_code == 2
    assert "- is standard input, which is a terminal: pipe a file to this command" in ran.screen


def test_only_one_module_prints() -> None:
    """So no text reaches a terminal that was not made harmless."""
    package = Path(kascribe.__file__).parent
    printing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(
            r"(?<![\w.])(print|Console|Progress)\(|std(out|err)\.write|echo\(", path.read_text(encoding="utf-8")
        )
    }
    assert printing == {"console/terminal.py", "documents/generation.py"}


def test_a_port_in_use_is_told_before_anything_starts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, deaf: str, tmp_path: Path
) -> None:
    """`kascribe up` says which port and which setting, and has not said that it runs."""
    monkeypatch.setenv("KASCRIBE_GATEWAY_PORT", deaf.rpartition(":")[2])
    folders = ["--drop", str(tmp_path / "drop"), "--transcripts", str(tmp_path / "kept")]
    code, sentence = said(capsys, monkeypatch, "up", "--model", "selftest", *folders)
    assert code == 2
    assert sentence.startswith(f"kascribe: the gateway cannot listen on {deaf}: Address already in use.")
    assert "KASCRIBE_GATEWAY_PORT" in sentence
    assert not (tmp_path / "drop").exists()


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


def test_the_embedded_broker_is_not_asked_for_transactions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers them and stores no offsets, so every restart would transcribe everything again."""
    monkeypatch.setenv("KASCRIBE_RUNTIME_DELIVERY", "exactly_once")
    code, error = said(capsys, monkeypatch, "up")
    assert code == 2
    assert "Unset KASCRIBE_RUNTIME_DELIVERY" in " ".join(error.split())
