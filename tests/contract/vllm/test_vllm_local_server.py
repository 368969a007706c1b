"""Tools of the local vLLM server: a reproducible model, and processes identified reliably."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from deploy.stack.processes import Process, end, is_alive, start
from deploy.vllm.__main__ import main
from deploy.vllm.errors import VllmUnavailable
from deploy.vllm.model import SPECIAL_TOKENS, write_model
from deploy.vllm.server import down, find_server
from deploy.vllm.session import session_members
from tests.support.waiting import eventually


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the file that the leader and its children write to."""
    return tmp_path / "log"


@pytest.fixture
def leader(log: Path) -> Iterator[Process]:
    """Start a shell in its own session, with a child that has no environment, as vLLM's workers seem to have."""
    command = ["/bin/sh", "-c", "env -i sleep 300 & wait"]
    process = start(command, log=log, environment={"PATH": os.environ["PATH"]})
    eventually(lambda: len(session_members(process, log)) == 2, timeout_seconds=20)
    yield process
    end(session_members(process, log), grace_seconds=0)


def test_the_model_is_the_same_every_time(tmp_path: Path) -> None:
    """It is equal byte for byte, so that tests see the same server everywhere."""
    first, second = write_model(tmp_path / "a"), write_model(tmp_path / "b")
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()
    assert sum(path.stat().st_size for path in first.iterdir()) < 1_000_000


def test_one_byte_is_one_token(tmp_path: Path) -> None:
    """It holds for every script, and decoding restores the text; each special token is one token."""
    tokenizer = Tokenizer.from_file(str(write_model(tmp_path) / "tokenizer.json"))
    text = "hello 한국어 漢字 🙂\n\x00\x7f"
    encoded = tokenizer.encode(text)
    assert len(encoded.ids) == len(text.encode())
    assert tokenizer.decode(encoded.ids) == text
    assert len(tokenizer.encode("".join(SPECIAL_TOKENS)).ids) == len(SPECIAL_TOKENS)


def test_workers_are_found_and_ended_after_their_parent_was_killed(leader: Process, log: Path) -> None:
    """A killed server leaves no orphan."""
    os.kill(leader.pid, signal.SIGKILL)
    eventually(lambda: not is_alive(leader), timeout_seconds=30)
    (orphan,) = session_members(leader, log)
    end([orphan], grace_seconds=0)
    assert session_members(leader, log) == []


def test_processes_that_write_elsewhere_are_not_members(leader: Process, tmp_path: Path) -> None:
    """A process id that the system reused is never signalled."""
    (tmp_path / "another log").touch()
    assert session_members(leader, tmp_path / "another log") == []
    assert session_members(leader, tmp_path / "no log") == []


def test_stopping_without_a_server_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``down`` may be repeated, and ``status`` returns 3."""
    assert not down(tmp_path)
    assert main(["--state", str(tmp_path), "down"]) == 0
    assert main(["--state", str(tmp_path), "status"]) == 3
    assert "not running" in capsys.readouterr().out


def test_the_error_for_a_damaged_state_names_its_path(tmp_path: Path) -> None:
    """No other process is ended."""
    (tmp_path / "server.json").write_text("{}", encoding="utf-8")
    with pytest.raises(VllmUnavailable, match=r"server\.json is damaged"):
        find_server(tmp_path)
