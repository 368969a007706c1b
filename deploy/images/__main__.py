"""``python -m deploy.images``: list, pin and check the images of the compose files and Dockerfiles."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.images.references import Image, images, rewritten
from deploy.images.registry import Registries, RegistryError, docker_credentials

DEPLOY: Final = Path(__file__).parents[1]
PATTERNS: Final = ("compose*.yaml", "Dockerfile", "*/Dockerfile")


@dataclass(frozen=True, slots=True)
class Row:
    """One image: the digest that is written, the one that its tag has now, and why that is not known."""

    image: Image
    latest: str | None = None
    problem: str | None = None

    @property
    def state(self) -> str:
        """One word for scripts."""
        if self.problem:
            return "unknown"
        if self.latest is None or self.image.digest == self.latest:
            return "pinned" if self.image.digest else "tag"
        return "moved" if self.image.digest else "tag"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 1 when an image has no digest or its tag has another, 2 for wrong use."""
    chosen = _parser().parse_args(arguments)
    files = sorted({path for pattern in PATTERNS for path in chosen.directory.glob(pattern)})
    named = {image.name: image for path in files for image in images(path.read_text(encoding="utf-8"))}
    if not named:
        print(f"error: no images in {chosen.directory}", file=sys.stderr)
        return 2
    if chosen.command == "list":
        rows = [Row(image) for image in named.values()]
    else:
        try:
            rows = _resolved(list(named.values()), dict(map(_mirror, chosen.mirror)))
        except RegistryError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    if chosen.command == "pin":
        rows = _pin(files, rows)
    for row in sorted(rows, key=lambda row: row.image.name):
        print(_as_json(row) if chosen.json else _line(row))
    if chosen.command == "list":
        return 0
    return 1 if any(row.state != "pinned" for row in rows) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.images",
        description="Images of the compose files and Dockerfiles by digest: with one, what was tested is what "
        "runs, whatever happens to the tag. Credentials are those of docker login, unless a helper program has "
        "them.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {
        "list": "print the images, without asking any registry",
        "pin": "write the digest that each tag has now; a tag that cannot be resolved stays",
        "check": "say which tags have another digest than the one that is written",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--directory", type=Path, default=DEPLOY, help="where the files are (default: deploy)"
        )
        command.add_argument("--json", action="store_true", help="print one JSON object a line")
        command.add_argument(
            "--mirror",
            action="append",
            default=[],
            metavar="REGISTRY=URL",
            help="the address of a registry; hub is the one of images without a name: hub=https://mirror.example",
        )
    return parser


def _mirror(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not equals or not url.startswith(("http://", "https://")):
        raise RegistryError(f"--mirror {text} is not REGISTRY=URL, as in hub=https://mirror.example")
    return name, url


def _resolved(named: Sequence[Image], mirrors: dict[str, str]) -> list[Row]:
    directory = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    rows = []
    with Registries(mirrors=mirrors, credentials=docker_credentials(directory / "config.json")) as registries:
        for image in named:
            try:
                rows.append(Row(image, latest=registries.digest(image)))
            except RegistryError as error:
                rows.append(Row(image, problem=str(error)))
    return rows


def _pin(files: Sequence[Path], rows: Sequence[Row]) -> list[Row]:
    """Write the digests that are known, each file at once; return the rows as they are afterwards."""
    pinned = {row.image.name: row.image.pinned_to(row.latest) for row in rows if row.latest}
    for path in files:
        before = path.read_text(encoding="utf-8")
        after = rewritten(before, pinned)
        if after != before:
            made = path.with_name(f".{path.name}.new")
            try:
                made.write_text(after, encoding="utf-8")
                made.chmod(path.stat().st_mode)
                made.replace(path)
            finally:
                with suppress(FileNotFoundError):
                    made.unlink()
    return [Row(pinned.get(row.image.name, row.image), row.latest, row.problem) for row in rows]


def _line(row: Row) -> str:
    if row.problem:
        return f"{row.problem}; " + (f"stays pinned to {row.image.digest}" if row.image.digest else "stays a tag")
    if row.state == "moved":
        return f"{row.image.name} has another digest now: {row.latest} (pinned: {row.image.digest})"
    if row.image.digest:
        return row.image.text
    return f"{row.image.name} is a tag without a digest" + (f"; it has {row.latest} now" if row.latest else "")


def _as_json(row: Row) -> str:
    return json.dumps(
        {
            "image": row.image.name,
            "state": row.state,
            "pinned": row.image.digest,
            "latest": row.latest,
            "problem": row.problem,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
