"""Interpreters on this machine, by version."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SHOW: Final = (
    "import sys; print('%d.%d' % sys.version_info[:2], getattr(sys, '_base_executable', sys.executable))"
)


def find_python(version: str) -> Path | None:
    """Return the interpreter of a version, such as 3.12: one on PATH that runs, or one that pyenv installed."""
    for candidate in _candidates(version):
        shown = subprocess.run([candidate, "-I", "-c", _SHOW], capture_output=True, text=True, check=False)
        found, _, program = shown.stdout.strip().partition(" ")
        if shown.returncode == 0 and found == version:
            return Path(program)
    return None


def _candidates(version: str) -> Iterator[str]:
    for name in (f"python{version}", "python3"):
        if path := shutil.which(name):
            yield path
    if pyenv := shutil.which("pyenv"):
        listed = subprocess.run([pyenv, "versions", "--bare"], capture_output=True, text=True, check=False).stdout
        for installed in listed.split():
            if installed.startswith(f"{version}."):
                prefix = subprocess.run([pyenv, "prefix", installed], capture_output=True, text=True, check=False)
                yield f"{prefix.stdout.strip()}/bin/python{version}"
