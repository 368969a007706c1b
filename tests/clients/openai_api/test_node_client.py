"""OpenAI's client for Node.js against the gateway: formats, streams, models and errors."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.stack import StackError
from tests.clients.toolchains import OPENAI_NODE
from tests.flow.gateway import Gateway
from tests.sound.wav_listener import wav_bytes
from tests.support.listening import missing

TEXT: Final = "second 1. second 2."
CLIENT: Final = Path(__file__).with_name("node_client.cjs")
RUN_SECONDS: Final = 120.0

Answers = dict[str, Any]


@pytest.fixture(scope="module")
def modules() -> Path:
    """Return the folder with the client, in its pinned version; skip where it cannot be installed."""
    if programs := OPENAI_NODE.missing():
        missing(f"OpenAI's client for Node.js needs, on PATH: {', '.join(programs)}")
    try:
        return OPENAI_NODE.prepare() / "node_modules"
    except StackError as error:
        missing(f"OpenAI's client for Node.js cannot be installed: {error}")


@pytest.fixture(scope="module")
def answers(gateway: Gateway, modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Send all requests once, and return what came of each."""
    audio = tmp_path_factory.mktemp("audio") / "call.wav"
    audio.write_bytes(wav_bytes(2))
    done = subprocess.run(
        ["node", CLIENT, f"http://127.0.0.1:{gateway.port}/v1", audio],
        env={**os.environ, "NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_every_format_comes_as_the_client_expects_it(answers: Answers) -> None:
    """Objects for JSON, strings for the others; from a stream of a file and from a buffer."""
    assert answers["json"] == {"text": TEXT, "usage": {"type": "duration", "seconds": 2}}
    assert answers["buffer"] == answers["options"] == answers["json"]
    assert answers["text"] == f"{TEXT}\n"
    assert answers["srt"] == f"1\n00:00:00,000 --> 00:00:02,000\n{TEXT}\n\n"
    assert answers["vtt"] == f"WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n{TEXT}\n\n"
    verbose = answers["verbose_json"]
    assert (verbose["text"], verbose["language"], verbose["duration"]) == (TEXT, "english", 2)
    assert (len(verbose["segments"]), len(verbose["words"])) == (2, 4)


def test_a_stream_is_an_iterator_of_events(answers: Answers) -> None:
    """Deltas that are the whole text together, then the end with the usage."""
    *deltas, done = answers["stream"]
    assert "".join(event["delta"] for event in deltas) == TEXT
    assert {event["type"] for event in deltas} == {"transcript.text.delta"}
    assert done == {
        "type": "transcript.text.done",
        "text": TEXT,
        "usage": {"type": "duration", "seconds": 2},
    }


def test_models_are_listed_and_read(answers: Answers) -> None:
    """The client's pages end after the first."""
    assert {"whisper-1", "listener", "wav-listener"} <= set(answers["models"])
    assert answers["model"] == {"id": "whisper-1", "object": "model", "created": 0, "owned_by": "kascribe"}


@pytest.mark.parametrize(
    ("request_name", "raised", "status", "param", "code"),
    [
        ("no_model", "NotFoundError", 404, "model", "model_not_found"),
        ("no_format", "BadRequestError", 400, "response_format", "invalid_options"),
        ("no_audio", "BadRequestError", 400, None, "audio_undecodable"),
        ("no_audio_streamed", "BadRequestError", 400, None, "audio_undecodable"),
        ("no_translation", "BadRequestError", 400, None, "invalid_options"),
    ],
)
def test_errors_are_the_client_s_own(
    answers: Answers, request_name: str, raised: str, status: int, param: str | None, code: str
) -> None:
    """With OpenAI's status, the field at fault, the reason and a message."""
    error = answers[request_name]
    assert error.pop("message")
    assert error == {
        "raised": raised,
        "status": status,
        "param": param,
        "code": code,
        "type": "invalid_request_error",
    }
