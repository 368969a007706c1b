"""Building and running of the collector."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from deploy.stack.cache import Entry, Report, entry_directory, run_tool
from deploy.stack.errors import StackError

SOURCE: Final = Path(__file__).parent
CONFIGURATION: Final = SOURCE / "config.yaml"
PROGRAM: Final = "kascribe-collector"
GO: Final = "Go 1.25 or newer, which compiles the collector (https://go.dev/dl, Debian: golang-go)"
BUILD_TIMEOUT_SECONDS: Final = 3_600  # under two minutes of processor time; the rest is for a slow mirror


def collector_program(cache: Path, *, report: Report = print) -> Path:
    """Return the collector; build it if the cache lacks it. Blocks for minutes the first time.

    Safe to call from several processes at once. Raises StackError when Go is missing or the build fails.
    """
    entry = Entry(
        f"collector-{_digest()}",
        _build,
        "go",
        GO,
        "two minutes of processor time",
    )
    return entry_directory(cache / "servers", entry, report) / PROGRAM


def collector_command(program: Path) -> list[str]:
    """Return the command that runs a collector with ``config.yaml``; ``collector_environment`` goes with it."""
    return [str(program), "--config", str(CONFIGURATION)]


def collector_environment(*, port: int, health_port: int, file: Path) -> dict[str, str]:
    """Return the variables of ``config.yaml`` for a collector on loopback."""
    return {
        "COLLECTOR_HOST": "127.0.0.1",
        "COLLECTOR_PORT": str(port),
        "COLLECTOR_HEALTH_PORT": str(health_port),
        "COLLECTOR_FILE": str(file),
        "PATH": os.environ.get("PATH", os.defpath),
    }


def _digest() -> str:
    """Return what tells builds of different sources apart."""
    sources = (SOURCE / name for name in ("go.mod", "go.sum", "main.go"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


def _build(building: Path) -> None:
    output = building / PROGRAM
    if shutil.which("go") is None:
        raise StackError(f"go is not on PATH: {GO}")
    command = ["go", "build", "-C", str(SOURCE), "-mod=readonly", "-trimpath", "-buildvcs=false"]
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    run_tool([*command, "-ldflags", "-s -w", "-o", str(output), "."], settings, BUILD_TIMEOUT_SECONDS)
