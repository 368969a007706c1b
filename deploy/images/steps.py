"""``python -m deploy.images.steps [TARGET…]``: run the build steps of the images, and try what they made."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from deploy.images.dockerfile import parse
from deploy.images.walking import Layer, Report, StepFailed, Walk, why_not

ROOT: Final = Path(__file__).parents[2]
TARGETS: Final = ("transcriber", "enricher", "gateway", "archive", "notifier")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the steps of each target; return 1 when one fails, 2 where none can run."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.images.steps",
        description="Run the steps of deploy/Dockerfile in their order in a fresh root, without a container "
        "engine; then start each image's command and its health check as its user, with a read-only root. The "
        "machine takes the place of the base image. Needs root, Debian with Python 3.11 or later, and a package "
        "index.",
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: {' '.join(TARGETS)}")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if why := why_not():
        print(f"error: {why}", file=sys.stderr)
        return 2
    failed = False
    with tempfile.TemporaryDirectory(prefix="kascribe-images-") as directory:
        walk = walk_of_ours(Path(directory), report=lambda line: print(line, file=sys.stderr, flush=True))
        for target in chosen.targets or TARGETS:
            began = time.monotonic()
            problem = _problem(walk, target)
            failed = failed or problem is not None
            seconds = round(time.monotonic() - began, 1)
            row = {"target": target, "seconds": seconds, "problem": problem}
            print(
                json.dumps(row) if chosen.json else f"{target}: {problem or 'built and started'} ({seconds:.0f} s)"
            )
    return 1 if failed else 0


def walk_of_ours(directory: Path, *, report: Report = print) -> Walk:
    """Return a walk through deploy/Dockerfile with this repository as its context."""
    dockerfile = ROOT / "deploy" / "Dockerfile"
    return Walk(
        parse(dockerfile.read_text(encoding="utf-8")),
        context=ROOT,
        ignore=(ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8"),
        directory=directory,
        caches={"/root/.cache/uv": _uv_cache()},
        report=report,
    )


def problems_of(walk: Walk, layer: Layer) -> list[str]:
    """Start an image's command and its health check; return what is wrong, in sentences."""
    found = []
    shown = walk.run(layer, [*layer.entry_point, *layer.command, "--help"])
    if shown.returncode != 0 or "Usage:" not in shown.stdout:
        found.append(
            f"{' '.join(layer.entry_point + layer.command)} does not start: {shown.stderr.strip()[-500:]}"
        )
    # Nothing serves health yet: the check must say so, by its status and for this reason alone.
    checked = walk.run(layer, layer.health_check)
    if checked.returncode == 0 or "ConnectionRefusedError" not in checked.stderr:
        found.append(f"the health check does not run: {checked.returncode} {checked.stderr.strip()[-500:]}")
    return found


def _problem(walk: Walk, target: str) -> str | None:
    try:
        return "; ".join(problems_of(walk, walk.build(target))) or None
    except StepFailed as error:
        return str(error)


def _uv_cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where uv keeps packages on this machine, so that a walk downloads none twice."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}")
    if uv is None:
        return Path.home() / ".cache" / "uv"
    shown = subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True)
    return Path(shown.stdout.strip())


if __name__ == "__main__":
    sys.exit(main())
