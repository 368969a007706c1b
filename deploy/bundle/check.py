"""Command behind `make bundle-check`: a bundle, installed and used where there is no network, with its times."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.bundle.__main__ import add_choices, build
from deploy.bundle.errors import BundleError
from deploy.bundle.pythons import find_python
from deploy.bundle.selection import ROOT, Selection
from deploy.bundle.target import PYTHONS


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, unpack, install and use. Returns 0 when all of it works, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.bundle.check",
        description="Build a bundle and use it in a network namespace that has only loopback.",
    )
    add_choices(parser)
    chosen = parser.parse_args(arguments)
    selection = Selection(chosen.role, chosen.cuda, tuple(chosen.python or PYTHONS))
    try:
        with tempfile.TemporaryDirectory(prefix="kascribe-bundle-") as temporary:
            with timed("build"):
                archive = build(selection, chosen.model, Path(temporary), wheels=chosen.wheels)
            with timed(f"unpack {archive.stat().st_size / 1e6:.1f} MB"):
                subprocess.run(["tar", "--extract", "--file", archive.name], cwd=temporary, check=True)
            results = [_use(archive.with_suffix(""), python) for python in selection.pythons]
    except BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if all(results) else 1


def _use(folder: Path, python: str) -> bool:
    interpreter = find_python(python)
    if interpreter is None:
        print(f"FAIL  Python {python} is not on this machine: install it, or choose others with --python")
        return False
    print(f"Python {python} ({interpreter}), without a network:", flush=True)
    return without_network(folder, interpreter, folder.parent / f"python{python}") == 0


def without_network(folder: Path, interpreter: Path, work: Path) -> int:
    """Install and use an unpacked bundle in a new network namespace, and return the exit status. Blocks."""
    work.mkdir()
    inside = [sys.executable, "-m", "deploy.bundle.use", str(folder), str(interpreter), str(work)]
    return subprocess.run(["unshare", "--map-root-user", "--net", *inside], cwd=ROOT, check=False).returncode


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long a step took."""
    started = time.monotonic()
    yield
    print(f"  {time.monotonic() - started:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
