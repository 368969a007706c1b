"""Programs of other languages, in pinned versions, installed once into the cache.

A generator of types takes a directory of JSON Schemas and leaves compiled types beside them; OpenAI's client for
Node.js is a library.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from deploy.stack.cache import default_cache, locked, run_tool

HERE: Final = Path(__file__).parent
GO_JSONSCHEMA: Final = "github.com/atombender/go-jsonschema@v0.24.1"
INSTALL_SECONDS: Final = 900.0
"""20 s measured for each on an idle machine; the rest is for a slow mirror."""

RUN_SECONDS: Final = 240.0


@dataclass(frozen=True, slots=True)
class Toolchain:
    """One language: the programs that must be there, the files that pin its generator, and its installation."""

    language: str
    programs: tuple[str, ...]
    pins: tuple[str, ...]
    install: Callable[[Path], None]

    def missing(self) -> list[str]:
        """List the programs that are not on PATH."""
        return [name for name in self.programs if shutil.which(name) is None]

    def prepare(self) -> Path:
        """Return the generator's directory; install it where the cache lacks it. Blocks. Raises StackError."""
        home = default_cache() / "clients"
        place = home / f"{self.language}-{self._digest()}"
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / f".{self.language}.lock"):
            if not (place / "complete").is_file():
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                self.install(place)
                (place / "complete").touch()
        return place

    def _digest(self) -> str:
        pinned = "".join((HERE / name).read_text(encoding="utf-8") for name in self.pins) + GO_JSONSCHEMA
        return hashlib.sha256(pinned.encode()).hexdigest()[:12]


def run(command: Sequence[object], **environment: str) -> None:
    """Run a program to its end. Raises StackError with the end of its output."""
    run_tool([str(part) for part in command], environment, RUN_SECONDS)


def _install_npm(place: Path, pins: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pins / name, place)
    run_tool(["npm", "ci", "--silent", "--ignore-scripts", "--prefix", str(place)], {}, INSTALL_SECONDS)


def _install_java(place: Path) -> None:
    # Maven keeps its plugins in its own repository; the first run fetches them.
    shutil.copy(HERE / "pom.xml", place)


def _install_go(place: Path) -> None:
    run_tool(["go", "install", GO_JSONSCHEMA], {"GOBIN": str(place)}, INSTALL_SECONDS)


def _install_python(place: Path) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}") or "uv"
    python = str(place / "venv" / "bin" / "python")
    run_tool([uv, "venv", "-q", "--python", sys.executable, str(place / "venv")], {}, INSTALL_SECONDS)
    lock = str(HERE / "requirements.lock")
    install = [uv, "pip", "install", "-q", "--python", python, "--no-deps", "--require-hashes", "-r", lock]
    run_tool(install, {}, INSTALL_SECONDS)


TYPESCRIPT: Final = Toolchain(
    "typescript", ("node", "npm"), ("package.json", "package-lock.json"), partial(_install_npm, pins=HERE)
)
OPENAI_NODE: Final = Toolchain(
    "openai-node",
    ("node", "npm"),
    ("openai_api/package.json", "openai_api/package-lock.json"),
    partial(_install_npm, pins=HERE / "openai_api"),
)
DOCUMENTS: Final = Toolchain(
    "documents",
    ("node", "npm"),
    ("documents/package.json", "documents/package-lock.json"),
    partial(_install_npm, pins=HERE / "documents"),
)
AXE: Final = Toolchain(
    "axe", ("node", "npm"), ("axe/package.json", "axe/package-lock.json"), partial(_install_npm, pins=HERE / "axe")
)
GRAFANA: Final = Toolchain(
    "grafana",
    ("node", "npm"),
    ("dashboards/package.json", "dashboards/package-lock.json"),
    partial(_install_npm, pins=HERE / "dashboards"),
)
JAVA: Final = Toolchain("java", ("mvn", "javac"), ("pom.xml",), _install_java)
GO: Final = Toolchain("go", ("go",), (), _install_go)
PYTHON: Final = Toolchain("python", (), ("requirements.lock",), _install_python)
