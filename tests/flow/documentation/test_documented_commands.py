"""The commands of docs/http-api.md and the README's requests do what the pages say, on `kascribe up`."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx
import pytest

from models.selftest import clips
from tests.contract.vllm.vllm_double import VllmDouble
from tests.contract.vllm.vllm_double import running as running_model
from tests.demo.enrichment import is_right, readme_requests
from tests.flow.documentation.console_blocks import Command, by_heading, commands_of, is_as_expected
from tests.flow.embedded_up import START_TIMEOUT_SECONDS, Up, running_up
from tests.support.listening import missing
from tests.support.waiting import eventually

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = ROOT / "docs" / "http-api.md"
DOCUMENTED: Final = "localhost:8001"
SECTION_SECONDS: Final = 180
TESTED_WITH_KEYS: Final = {"Keys and limits"}
"""Headings whose commands need a gateway with API keys: ``tests/flow/access``."""

PROGRAMS: Final = ("curl", "jq", "bash")
END: Final = "== end of a command =="
"""Printed after each command, with its exit code."""

# Failures of requests are shown and noticed; a stream of events is cut off instead of followed for ever.
PRELUDE: Final = """
curl() { command curl --silent --show-error --fail-with-body --max-time 20 "$@"; }
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Run one embedded stack with an enricher for the module."""
    if absent := [name for name in PROGRAMS if shutil.which(name) is None]:
        missing(f"the page's commands need, on PATH: {', '.join(absent)}")
    home = tmp_path_factory.mktemp("home")
    with (
        running_model(VllmDouble(context_tokens=4_096)) as model,
        running_up(home, KASCRIBE_VLLM_BASE_URL=model.base_url) as running,
    ):
        eventually(lambda: _is_up(running), timeout_seconds=START_TIMEOUT_SECONDS, what="the gateway")
        yield running


def _is_up(up: Up) -> bool:
    """Return whether the gateway answers that all is well."""
    with suppress(httpx.TransportError):
        return bool(httpx.get(f"http://localhost:{up.gateway_port}/health").json()["status"] == "ok")
    return False


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a working directory with the pages' audio.wav, a recording that the model knows."""
    recording = next(clip.path for clip in clips() if clip.language == "en")
    shutil.copy(recording, tmp_path / "audio.wav")
    return tmp_path


def run_all(up: Up, directory: Path, commands: Sequence[str]) -> list[tuple[str, int]]:
    """Run commands one after another in one shell; return what each printed, and its exit code."""
    lines = (f"{command}\nprintf '\\n{END}%s\\n' $?" for command in commands)
    script = (PRELUDE + "\n".join(lines)).replace(DOCUMENTED, f"localhost:{up.gateway_port}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env={**up.environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=SECTION_SECONDS,
        check=False,
    )
    parts = done.stdout.split(END)
    codes = [int(part.split("\n", 1)[0]) for part in parts[1:]]
    printed = [parts[0], *(part.partition("\n")[2] for part in parts[1:-1])]
    assert len(codes) == len(commands), done.stderr
    return list(zip(printed, codes, strict=True))


@pytest.mark.parametrize("heading", sorted(by_heading(PAGE).keys() - TESTED_WITH_KEYS))
def test_the_commands_under_a_heading_print_what_the_page_says(up: Up, directory: Path, heading: str) -> None:
    """One after another in one shell, as a reader would type them."""
    commands = by_heading(PAGE)[heading]
    results = run_all(up, directory, [command.text for command in commands])
    for command, (printed, code) in zip(commands, results, strict=True):
        assert (code != 0) is (command.status is not None), f"{command.text}\n{printed}"
        assert is_as_expected(command, printed), f"{command.text}\n{printed}\nexpected:\n{command.expected}"


def test_the_readme_s_requests_are_answered_as_it_promises(up: Up, directory: Path) -> None:
    """Health is ok, and the two routes answer with the text."""
    spoken = next(clip.text for clip in clips() if clip.language == "en")
    commands = [command.replace("language=ko", "language=en") for command in readme_requests()]
    for command, (printed, code) in zip(readme_requests(), run_all(up, directory, commands), strict=True):
        assert code == 0, printed
        assert is_right(command, json.loads(printed), spoken), printed


def test_commands_are_read_with_their_continuations_and_outputs(tmp_path: Path) -> None:
    """A backslash continues a command, a comment names a status, and what follows is output."""
    page = tmp_path / "page.md"
    page.write_text(
        '# T\n\n## One\n\n```console\n$ a \\\n  b\n{"x": "…", "y": [1]}\n$ c   # 404\n```\n', encoding="utf-8"
    )
    first, second = commands_of(page)
    assert first == Command("One", "a \\\n  b", None, ('{"x": "…", "y": [1]}',))
    assert second == Command("One", "c", 404, ())
    assert is_as_expected(first, '{"x": "anything", "y": [1, 2], "z": 0}')
    assert not is_as_expected(first, '{"x": "anything", "y": [2]}')
    assert not is_as_expected(first, '{"y": [1]}')
    assert is_as_expected(Command("", "", None, ("one…", "three")), "one, two\nbetween\nthree\n")
    assert not is_as_expected(Command("", "", None, ("three", "one")), "one\nthree\n")
