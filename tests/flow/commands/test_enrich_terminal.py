"""``kascribe enrich`` as a user types it at a terminal: what is no transcript, and servers that do not answer."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault
from tests.support.interrupting import interruptible
from tests.support.terminals import Where, kascribe
from tests.support.waiting import eventually

FILES: Final[Mapping[str, bytes]] = {
    "call.txt": b"We meet on Tuesday.\nBring the lamp.\n",
    "empty.txt": b"",
    "blank.txt": b" \n\n",
    "silence.json": b'{"text": ""}',
    "text.json": b'{"text": "We meet on Tuesday.", "usage": {"type": "duration", "seconds": 1}}',
    "call.bin": b"\xff\xfe\x00",
    "zeros.bin": bytes(64),
    "other.json": b'{"results": {}}',
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Write the files, and return the environment without settings of Kascribe."""
    for name, body in FILES.items():
        (tmp_path / name).write_bytes(body)
    (tmp_path / "calls").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KASCRIBE_")}
    return {**kept, "HOME": str(tmp_path), "KASCRIBE_VLLM_BASE_URL": "http://127.0.0.1:9"}


@pytest.fixture
def double() -> Iterator[VllmDouble]:
    """Run a language model double."""
    with running(VllmDouble(context_tokens=4_096)) as server:
        yield server


def said_by(source: str, environment: Mapping[str, str], directory: Path) -> tuple[int, str]:
    """Run the command on a terminal; return its exit code and its screen, on which no traceback may stand."""
    result = kascribe(["enrich", source], Where.TERMINAL, directory, environment)
    assert "Traceback" not in result.screen, result.screen
    return result.exit_code, result.screen.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nope.txt", "kascribe: there is no file nope.txt, and it is no job's id"),
        ("calls", "kascribe: calls is a directory: name one transcript file in it"),
        ("empty.txt", "kascribe: empty.txt is empty (0 bytes)"),
        ("blank.txt", "kascribe: blank.txt has no words"),
        ("silence.json", "kascribe: silence.json has no words"),
        ("call.bin", "kascribe: call.bin is neither a transcript's JSON nor UTF-8 text"),
        ("zeros.bin", "kascribe: zeros.bin is neither a transcript's JSON nor text"),
        ("other.json", "kascribe: other.json is JSON, but no transcript of ours"),
    ],
)
def test_what_is_no_transcript_is_said_in_one_sentence(
    source: str, sentence: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """And no server is asked: the exit code is that of wrong usage."""
    exit_code, screen = said_by(source, environment, tmp_path)
    assert exit_code == 2
    assert screen.startswith(sentence)
    assert screen.count("\n") == 1


def test_a_transcript_of_text_alone_is_enriched(
    double: VllmDouble, environment: dict[str, str], tmp_path: Path
) -> None:
    """OpenAI's ``json`` has no segments."""
    exit_code, screen = said_by("text.json", {**environment, "KASCRIBE_VLLM_BASE_URL": double.base_url}, tmp_path)
    assert exit_code == 0
    assert "summary: completed, 100% of the segments seen" in screen
    assert "[0] We meet on Tuesday." in double.completion_requests[0].prompt


def test_a_server_that_does_not_answer_is_named_with_its_setting(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """In the sentence that also says what to do."""
    exit_code, screen = said_by("call.txt", environment, tmp_path)
    assert exit_code == 1
    assert "http://127.0.0.1:9: ConnectError" in screen
    assert "KASCRIBE_VLLM_BASE_URL" in screen


def test_a_server_that_is_no_language_model_is_named_with_its_setting(
    double: VllmDouble, environment: dict[str, str], tmp_path: Path
) -> None:
    """It answers, and knows none of the paths."""
    double.fixed_responses[""] = (404, {"detail": "Not Found"})
    exit_code, screen = said_by("call.txt", {**environment, "KASCRIBE_VLLM_BASE_URL": double.base_url}, tmp_path)
    assert exit_code == 1
    assert "HTTP 404: Not Found" in screen
    assert f"KASCRIBE_VLLM_BASE_URL is {double.base_url}" in screen


def test_a_model_that_the_server_does_not_serve_is_named_with_its_setting(
    double: VllmDouble, environment: dict[str, str], tmp_path: Path
) -> None:
    """Beside the one that it serves."""
    wanted = {**environment, "KASCRIBE_VLLM_BASE_URL": double.base_url, "KASCRIBE_VLLM_MODEL": "nope"}
    exit_code, screen = said_by("call.txt", wanted, tmp_path)
    assert exit_code == 1
    assert "serves double, not nope: set KASCRIBE_VLLM_MODEL" in screen


def test_a_server_that_dies_in_mid_answer_is_reported_on_a_line_of_its_own(
    double: VllmDouble, environment: dict[str, str], tmp_path: Path
) -> None:
    """Below what had arrived of the answer."""
    double.always = Fault.CUT_CONNECTION
    exit_code, screen = said_by("call.txt", {**environment, "KASCRIBE_VLLM_BASE_URL": double.base_url}, tmp_path)
    assert exit_code == 1
    assert "[summary (again)]" in screen
    assert screen.splitlines()[-1].startswith("kascribe: ") or "\nkascribe: " in screen
    assert "the stream ended before the answer did" in screen


def test_ctrl_c_in_mid_answer_ends_the_command(
    double: VllmDouble, environment: dict[str, str], tmp_path: Path
) -> None:
    """Without a traceback; the request ends, so that the server does not work on."""
    double.gate = threading.Event()
    with interruptible():
        process = subprocess.Popen(
            [sys.executable, "-m", "kascribe", "enrich", "call.txt"],
            cwd=tmp_path,
            env={**environment, "KASCRIBE_VLLM_BASE_URL": double.base_url},
            stderr=subprocess.PIPE,
        )
    eventually(lambda: double.completion_requests, timeout_seconds=60, what="a request")
    process.send_signal(signal.SIGINT)
    _, written = process.communicate(timeout=30)
    double.gate.set()
    assert process.returncode == 130
    assert b"Traceback" not in written
