"""The compose files as Docker's own loader resolves them, without a Docker daemon."""

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from tests.contract.installation.compose_files import DEPLOY, PROFILES, REQUIRED, Resolve
from tests.support.listening import missing


@pytest.fixture(scope="session")
def resolve(tmp_path_factory: pytest.TempPathFactory) -> Resolve:
    """Return a function that resolves compose files with variables, as `docker compose config` does."""
    go = shutil.which("go") or missing("go is not on PATH: the compose file cannot be checked")
    program = tmp_path_factory.mktemp("compose") / "compose-check"
    built = subprocess.run(
        [go, "build", "-o", program, "."],
        cwd=DEPLOY / "compose-check",
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert built.returncode == 0, built.stderr

    def run(*files: str, variables: dict[str, str], profile: str = "") -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
        command = [str(program), "-profile", profile, *files]
        return subprocess.run(
            command, cwd=DEPLOY, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    return run


@pytest.fixture(scope="session")
def project(resolve: Resolve) -> dict[str, Any]:
    """Resolve the whole file, with every profile."""
    resolved = resolve("compose.yaml", variables=REQUIRED, profile=",".join(PROFILES))
    assert resolved.returncode == 0, resolved.stderr
    return dict(json.loads(resolved.stdout))
