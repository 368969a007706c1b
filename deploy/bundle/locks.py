"""Command behind `make locks-check`: each lock, installed in a fresh environment, and everything in it loaded."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.bundle.archive import source_date
from deploy.bundle.contents import own_wheel
from deploy.bundle.errors import BundleError
from deploy.bundle.lock import read_lock
from deploy.bundle.selection import CUDA_LOCK, LOCK, ROOT, run, uv
from deploy.bundle.target import ARCHITECTURE, GLIBC, Target

INSTALL_SECONDS: Final = 1800.0
"""Limit of one installation: seconds with a warm cache, 600 MB for cuBLAS without."""
LOAD_SECONDS: Final = 300.0

LOAD: Final = """
import importlib, importlib.metadata as metadata, re, sys

def modules(name):
    for file in metadata.files(name) or ():
        top = file.parts[0]
        if len(file.parts) == 1 and top.endswith(".py"):
            yield top.removesuffix(".py")
        elif len(file.parts) == 2 and file.name == "__init__.py":
            yield top

lines = [line for line in metadata.requires("kascribe") if not re.search("extra == .cuda", line)]
required = {re.split(r"[\\[<>=!~; ]", line)[0] for line in lines} - {"kascribe"}
for name in ["kascribe", *sorted(required)]:
    for module in sorted(set(modules(name))):
        if module.isidentifier():
            importlib.import_module(module)
            print(name, module)
"""
"""Imports every top-level package of Kascribe and of what it requires, with all extras but cuda."""

LOAD_CUBLAS: Final = """
import ctypes
from pathlib import Path
import nvidia
for library in ("cuda_nvrtc/lib/libnvrtc.so.12", "cublas/lib/libcublasLt.so.12", "cublas/lib/libcublas.so.12"):
    ctypes.CDLL(str(Path(list(nvidia.__path__)[0]) / library), mode=ctypes.RTLD_GLOBAL)
    print(library)
"""
"""Loads the libraries of the extra cuda; that needs no GPU."""


def load_installed(lock: Path, code: str, *, with_kascribe: bool) -> list[str]:
    """Install a lock in a fresh environment, run code in it, and return the lines that it prints.

    Blocks for the network. Raises BundleError with the output of what fails.
    """
    with tempfile.TemporaryDirectory() as temporary:
        environment = Path(temporary) / "environment"
        run([uv(), "venv", "--quiet", "--python", sys.executable, str(environment)], "uv cannot make a venv", 60.0)
        install = [uv(), "pip", "install", "--quiet", "--python", str(environment)]
        locked = [*install, "--require-hashes", "--no-deps", "--requirement", str(lock)]
        run(locked, f"{lock.name} cannot be installed", INSTALL_SECONDS)
        if with_kascribe:
            wheel = own_wheel(Path(temporary) / "own", source_date())
            run([*install, "--no-deps", str(wheel)], "Kascribe's wheel cannot be installed", INSTALL_SECONDS)
        python = [str(environment / "bin" / "python"), "-I", "-c", code]
        return run(python, f"what {lock.name} installs cannot be loaded", LOAD_SECONDS).splitlines()


def unknown_hashes(lock: str, target: Target) -> list[str]:
    """Return the packages of a lock of which an index lists other files, or none that the target can install.

    Downloads no package. Blocks for the network. Raises BundleError when the index has no such version.
    """
    pins = read_lock(lock, target)
    command = [uv(), "pip", "compile", "--quiet", "--no-deps", "--generate-hashes", "--only-binary=:all:"]
    command += [f"--python-version={target.python}"]
    command += [f"--python-platform={ARCHITECTURE}-manylinux_{GLIBC[0]}_{GLIBC[1]}", "-"]
    lines = "".join(f"{pin.name}=={pin.version}\n" for pin in pins.values())
    done = subprocess.run(
        command, cwd=ROOT.parent, input=lines, capture_output=True, text=True, check=False, timeout=LOAD_SECONDS
    )
    if done.returncode:
        raise BundleError(f"the lock cannot be resolved:\n{done.stderr}")
    listed = read_lock(done.stdout, target)
    return [name for name, pin in pins.items() if not set(pin.hashes) <= set(listed[name].hashes)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check both locks. Returns 0 when all of them can be installed and loaded."""
    parser = argparse.ArgumentParser(prog="python -m deploy.bundle.locks", description=__doc__)
    parser.parse_args(arguments)
    for lock, code in ((LOCK, LOAD), (CUDA_LOCK, LOAD_CUBLAS)):
        started = time.monotonic()
        try:
            loaded = load_installed(ROOT / lock, code, with_kascribe=lock == LOCK)
        except BundleError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(
            f"{time.monotonic() - started:6.1f} s  {lock}: {len(loaded)} packages or libraries loaded", flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
