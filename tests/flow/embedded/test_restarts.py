"""``kascribe up`` started again in the same home: nothing is lost, and nothing is done twice."""

import shutil
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest

from models.selftest import Clip, clips
from tests.flow.embedded_up import JOB_TIMEOUT_SECONDS, START_TIMEOUT_SECONDS, Up, running_up
from tests.sound.recordings import FORMATS, read, write
from tests.support.waiting import eventually

LONG_CLIPS: Final = 60
"""As many as the model cannot be done with before the stack is killed."""


@pytest.fixture
def clip() -> Clip:
    """Return a recording that the model knows."""
    return next(clip for clip in clips() if clip.text)


def test_a_stack_that_was_killed_goes_on_where_it_was(clip: Clip, tmp_path: Path) -> None:
    """Finished jobs are there, the one in flight is done, a dropped file is not repeated, deleting frees disk."""
    with running_up(tmp_path) as up:
        shutil.copy(clip.path, up.home / "kascribe" / "drop" / "kept.ogg")
        finished = _submitted(up, clip.path)
        eventually(
            lambda: _phase(up, finished) == "completed", timeout_seconds=JOB_TIMEOUT_SECONDS, what="the first job"
        )
        eventually(
            (up.home / "kascribe" / "transcripts" / "kept.ogg.json").exists,
            timeout_seconds=JOB_TIMEOUT_SECONDS,
            what="the dropped file's transcript",
        )
        text = _text(up, finished)
        long = write(tmp_path / "long.wav", np.tile(read(clip.path), LONG_CLIPS), FORMATS["wav, 8 kHz stereo"])
        in_flight = _submitted(up, long)
        assert _phase(up, in_flight) != "completed"
    with running_up(tmp_path) as up:
        _wait_for_gateway(up)
        assert _text(up, finished) == text
        eventually(
            lambda: _phase(up, in_flight) == "completed",
            timeout_seconds=START_TIMEOUT_SECONDS,
            what="the job that was in flight",
        )
        eventually(
            lambda: {finished, in_flight} <= _listed(up),
            timeout_seconds=JOB_TIMEOUT_SECONDS,
            what="both jobs' rows",
        )
        found = _request(up, "GET", f"/v1/search?q={text.split()[0]}").json()["results"]
        assert finished in {each["job"]["job_id"] for each in found}
        assert in_flight in up.kascribe("jobs").stdout
        log = (up.home / "up.log").read_text(encoding="utf-8")
        assert f"page         http://127.0.0.1:{up.gateway_port}/\n" in log
        assert "kascribe up --forget" in log
        assert "kept.ogg" not in log
        objects = up.session_directory / "objects"
        recording = clip.path.read_bytes()
        assert _copies(objects, recording) == 2
        assert _request(up, "DELETE", f"/v1/jobs/{finished}").is_success
        assert _copies(objects, recording) == 1
        eventually(
            lambda: finished not in _listed(up), timeout_seconds=JOB_TIMEOUT_SECONDS, what="the deleted row's end"
        )


def _listed(up: Up) -> set[str]:
    answer = _request(up, "GET", "/v1/jobs")
    return {job["job_id"] for job in answer.json()["jobs"]} if answer.is_success else set()


def _submitted(up: Up, path: Path) -> str:
    _wait_for_gateway(up)
    with path.open("rb") as audio:
        answer = httpx.post(
            f"http://127.0.0.1:{up.gateway_port}/v1/jobs", files={"file": (path.name, audio)}, timeout=60
        )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def _request(up: Up, method: str, path: str) -> httpx.Response:
    return httpx.request(method, f"http://127.0.0.1:{up.gateway_port}{path}", timeout=60)


def _phase(up: Up, job_id: str) -> Any:
    return _request(up, "GET", f"/v1/jobs/{job_id}").json().get("phase")


def _text(up: Up, job_id: str) -> str:
    answer = _request(up, "GET", f"/v1/jobs/{job_id}/transcript?as=text")
    assert answer.is_success, answer.text
    return answer.text


def _copies(directory: Path, body: bytes) -> int:
    return sum(path.stat().st_size == len(body) and path.read_bytes() == body for path in directory.iterdir())


def _wait_for_gateway(up: Up) -> None:
    def is_up() -> bool:
        try:
            return _request(up, "GET", "/health").is_success
        except httpx.TransportError:
            return False

    eventually(is_up, timeout_seconds=START_TIMEOUT_SECONDS, what="the gateway")
