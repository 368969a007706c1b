"""Each role works in an environment of the wheel and its own extras, as in its image."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.listening import missing

REPOSITORY = Path(__file__).parents[2]
FOREIGN = {
    "enricher": ["ctranslate2", "onnxruntime", "av", "fastapi"],
    "gateway": ["ctranslate2", "onnxruntime", "av", "jsonschema"],
    "transcriber": ["fastapi", "jsonschema"],
}


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
    wiring = f"import kascribe.wiring.{role}"
    for command in (
        [environment / "bin" / "kascribe", "run", role, "--help"],
        [environment / "bin" / "python", "-c", wiring],
    ):
        done = run(*command, directory=tmp_path)
        assert done.returncode == 0, done.stderr
    for package in FOREIGN[role]:
        imported = run(environment / "bin" / "python", "-c", f"import {package}", directory=tmp_path)
        assert f"No module named '{package}'" in imported.stderr
