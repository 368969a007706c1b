"""Each role, and `kascribe mcp`, works in an environment of the wheel and its own extras, as in its image."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.listening import missing

REPOSITORY = Path(__file__).parents[3]
FOREIGN = {
    "enricher": ["ctranslate2", "onnxruntime", "av", "fastapi"],
    "gateway": ["ctranslate2", "onnxruntime", "av", "jsonschema"],
    "transcriber": ["fastapi", "jsonschema", "sqlalchemy"],
    "archive": ["ctranslate2", "fastapi", "httpx", "jsonschema"],
    "mcp": ["ctranslate2", "fastapi", "sqlalchemy"],
    "notifier": ["ctranslate2", "fastapi", "jsonschema", "sqlalchemy"],
}

MIGRATION = """
from consumers.archive.database import ArchiveDatabase
from kascribe.wiring.archive import opened_for_writing
from schemas.settings import ArchiveSettings
with opened_for_writing(ArchiveSettings(url="sqlite:///archive.db")) as engine:
    assert ArchiveDatabase(engine).prepare(now_ms=0)
"""
"""The archive's tables are made by scripts that are in the wheel too."""

DOCUMENTS = """
from kascribe.wiring.documentation import event_documents, openapi
from producers.gateway.documentation.pages import FILES, file_text
assert openapi()["paths"] and event_documents().page and all(map(file_text, FILES))
"""
"""What the gateway's pages are made of is in the wheel, and needs nothing else."""

HOMES = {"archive": "kascribe.wiring.archive_role", "mcp": "kascribe.agents.server"}
FURTHER = {"archive": MIGRATION, "gateway": DOCUMENTS}


def run(*command: object, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a directory that is not the repository, so that nothing is imported from there."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env={name: text for name, text in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture(scope="module")
def uv() -> str:
    """Find the installer that `make setup` put beside this Python."""
    found = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return found or missing("uv is not installed: make setup")


@pytest.fixture(scope="module")
def wheel(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel that users install."""
    directory = tmp_path_factory.mktemp("wheel")
    python = ["--python", sys.executable]
    built = run(uv, "build", *python, "--no-build-isolation", "--wheel", "-o", directory, directory=REPOSITORY)
    assert built.returncode == 0, built.stderr
    return next(directory.glob("*.whl"))


@pytest.mark.parametrize("role", FOREIGN)
def test_a_role_needs_nothing_but_its_own_extras(role: str, uv: str, wheel: Path, tmp_path: Path) -> None:
    """The command starts and knows the role, and what the role does not need is not there."""
    environment = tmp_path / role
    install = [uv, "pip", "install", "--quiet", "--python", environment]
    locked = ["--extra", role, "--constraints", REPOSITORY / "requirements.lock"]
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, environment],
        [*install, "--requirements", REPOSITORY / "pyproject.toml", *locked],
        [*install, "--no-deps", wheel],
    ):
        done = run(*command, directory=tmp_path)
        assert done.returncode == 0, done.stderr
    python, kascribe = environment / "bin" / "python", environment / "bin" / "kascribe"
    for command in (
        [kascribe, "mcp", "--help"] if role == "mcp" else [kascribe, "run", role, "--help"],
        [python, "-c", f"import {HOMES.get(role, f'kascribe.wiring.{role}')}"],
        [python, "-c", FURTHER.get(role, "")],
    ):
        done = run(*command, directory=tmp_path)
        assert done.returncode == 0, done.stderr
    for package in FOREIGN[role]:
        imported = run(python, "-c", f"import {package}", directory=tmp_path)
        assert f"No module named '{package}'" in imported.stderr
