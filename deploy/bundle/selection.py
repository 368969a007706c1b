"""Which packages a bundle holds: those of the chosen roles, at the versions of the locks."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from deploy.bundle.errors import BundleError
from deploy.bundle.lock import Pin, read_locks
from deploy.bundle.target import ARCHITECTURE, GLIBC, Target

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = "requirements.lock"
CUDA_LOCK: Final = "requirements-cuda.lock"
RESOLVE_SECONDS: Final = 300.0
"""Limit of one resolution: a second with a warm cache, some more for metadata over a network."""

EXTRAS: Final = {
    "all": ("embedded", "postgresql"),
    "transcriber": ("transcriber", "tracing"),
    "enricher": ("enricher", "tracing"),
    "gateway": ("gateway", "postgresql", "tracing"),
    "archive": ("archive", "postgresql", "tracing"),
    "notifier": ("notifier", "tracing"),
}
"""Extras by what a bundle is for. ``all`` also runs `kascribe up` and `kascribe mcp`."""

CHECKS: Final = {
    "all": "selftest",
    "transcriber": "selftest --no-pipeline",
}
"""The command with which the installer proves an installation; other roles show the help of theirs."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user chose to put into a bundle."""

    role: str = "all"
    cuda: bool = False
    pythons: tuple[str, ...] = ("3.11", "3.12")

    @property
    def name(self) -> str:
        """What tells bundles of one version apart."""
        parts = [f"linux-{ARCHITECTURE}"]
        parts += [] if self.role == "all" else [self.role]
        return "-".join([*parts, "cuda"] if self.cuda else parts)

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras of pyproject.toml that are installed."""
        return (*EXTRAS[self.role], "cuda") if self.cuda else EXTRAS[self.role]

    @property
    def check(self) -> str:
        """The arguments of ``kascribe`` that prove an installation."""
        return CHECKS.get(self.role, f"run {self.role} --help")

    def targets(self) -> tuple[Target, ...]:
        """Return the machines that the bundle is for, by their Python."""
        return tuple(Target(python) for python in self.pythons)

    def locks(self) -> tuple[Path, ...]:
        """Return the locks that give versions and hashes."""
        return (ROOT / LOCK, ROOT / CUDA_LOCK) if self.cuda else (ROOT / LOCK,)


def pins_of(selection: Selection, target: Target) -> tuple[Pin, ...]:
    """Resolve the selection for one Python, sorted by name. Blocks for the network. Raises BundleError.

    uv says which packages are needed; versions and hashes are the locks'.
    """
    pins = read_locks(selection.locks(), target)
    found = [_pinned(line, pins) for line in _resolve(selection, target).splitlines() if line.strip()]
    return tuple(sorted(found, key=lambda pin: pin.name))


def _pinned(line: str, pins: dict[str, Pin]) -> Pin:
    name, _, version = line.strip().partition("==")
    pin = pins.get(canonicalize_name(name))
    if pin is None or pin.version != version:
        raise BundleError(f"the locks do not have {line.strip()}: run make lock")
    return pin


def _resolve(selection: Selection, target: Target) -> str:
    command = [uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary=:all:"]
    command += [f"--python-version={target.python}"]
    command += [f"--python-platform={ARCHITECTURE}-manylinux_{GLIBC[0]}_{GLIBC[1]}"]
    command += [f"--extra={extra}" for extra in selection.extras]
    command += [f"--constraints={lock}" for lock in selection.locks()]
    return run([*command, str(ROOT / "pyproject.toml")], "the packages cannot be resolved", RESOLVE_SECONDS)


def uv() -> str:
    """Return the installer beside this Python. Raises BundleError."""
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if found is None:
        raise BundleError("uv is not installed: run make setup")
    return found


def run(command: Sequence[str], failure: str, timeout_seconds: float) -> str:
    """Run a program and return what it prints. Raises BundleError with its output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_seconds)
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"{failure}: no answer within {timeout_seconds:.0f} s; run it again") from error
    if done.returncode:
        raise BundleError(f"{failure}:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout
