"""The documents are valid for their communities' own tools, and a client generated from OpenAPI works."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from deploy.stack import StackError
from tests.clients.toolchains import DOCUMENTS
from tests.flow.gateway import gateway_bench
from tests.flow.mock_cluster import MockCluster
from tests.sound.wav_listener import wav_bytes
from tests.support.listening import missing
from tests.support.object_store import running_object_store

HERE: Final = Path(__file__).parent
CONTRACTS: Final = HERE.parents[2] / "docs" / "contracts"
RUN_SECONDS: Final = 180.0


@pytest.fixture(scope="module")
def modules() -> Path:
    """Return the folder with the tools, in pinned versions; skip where they cannot be installed."""
    if programs := DOCUMENTS.missing():
        missing(f"the checks of documents need, on PATH: {', '.join(programs)}")
    try:
        return DOCUMENTS.prepare() / "node_modules"
    except StackError as error:
        missing(f"the checks of documents cannot be installed: {error}")


def run(modules: Path, *command: object) -> str:
    """Run a program with the tools and return what it printed; fail with its output."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_asyncapi_s_own_parser_finds_nothing_to_say(modules: Path, tmp_path: Path) -> None:
    """Neither errors nor advice; and it does notice what is wrong."""
    check = HERE / "asyncapi_check.cjs"
    assert run(modules, "node", check, CONTRACTS / "asyncapi.json") == ""
    document = json.loads((CONTRACTS / "asyncapi.json").read_text(encoding="utf-8"))
    document["operations"]["sendTranscripts"]["action"] = "shout"
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(document), encoding="utf-8")
    assert "sendTranscripts" in run(modules, "node", check, broken)


def test_a_client_in_typescript_is_generated_and_works(modules: Path, tmp_path: Path) -> None:
    """Strict types of every path compile, and the client that uses them talks to a real gateway."""
    (tmp_path / "node_modules").symlink_to(modules)
    programs = modules / ".bin"
    run(modules, programs / "openapi-typescript", CONTRACTS / "openapi.json", "-o", tmp_path / "openapi.d.ts")
    shutil.copy(HERE / "client.ts", tmp_path)
    compiled = ("--strict", "--target", "es2022", "--module", "commonjs", "--moduleResolution", "node10")
    libraries = ("--lib", "es2022,dom,dom.iterable", "--esModuleInterop", "--skipLibCheck")
    types = ("--typeRoots", modules / "@types", "--types", "node")
    run(modules, programs / "tsc", *compiled, *libraries, *types, "--outDir", tmp_path, tmp_path / "client.ts")
    (tmp_path / "call.wav").write_bytes(wav_bytes(2))
    with (
        MockCluster() as broker,
        running_object_store() as store,
        gateway_bench(broker.bootstrap_servers, store.settings(), store.client) as bench,
    ):
        bench.start_transcriber()
        address = f"http://127.0.0.1:{bench.gateway().port}"
        answers = json.loads(run(modules, "node", tmp_path / "client.js", address, tmp_path / "call.wav"))
    assert answers["job"] == answers.pop("accepted") != ""
    assert answers.pop("job")
    assert answers == {
        "status": "ok",
        "text": "second 1. second 2.",
        "reason": "job_not_found",
        "names": answers["names"],
    }
    assert "whisper-1" in answers["names"]
