"""Command line of the offline bundle: `python -m deploy.bundle`."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.bundle.archive import pack, source_date
from deploy.bundle.contents import own_wheel, version, write
from deploy.bundle.errors import BundleError
from deploy.bundle.models import add_model
from deploy.bundle.selection import EXTRAS, ROOT, Selection, pins_of
from deploy.bundle.target import PYTHONS
from deploy.bundle.wheels import collect, pip_wheel
from deploy.sbom.writing import write_sbom
from deploy.stack.cache import default_cache


def main(arguments: Sequence[str] | None = None) -> int:
    """Build a bundle. Returns 0 on success, 1 on failure."""
    chosen = _parser().parse_args(arguments)
    selection = Selection(chosen.role, chosen.cuda, tuple(chosen.python or PYTHONS))
    started = time.monotonic()
    try:
        built = build(selection, chosen.model, chosen.output, wheels=chosen.wheels, as_folder=chosen.folder)
    except BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _report(built, time.monotonic() - started, as_json=chosen.json)
    return 0


def build(
    selection: Selection, models: Sequence[str], output: Path, *, wheels: Path, as_folder: bool = False
) -> Path:
    """Build a bundle in ``output`` and return the archive, or the folder. Blocks for the network.

    An earlier one of the same name is replaced when the new one is complete. Raises BundleError.
    """
    name = f"kascribe-{version()}-{selection.name}"
    output.mkdir(parents=True, exist_ok=True)
    date = source_date()
    with tempfile.TemporaryDirectory(dir=output, prefix=".bundle-") as temporary:
        folder = Path(temporary) / name
        (folder / "models").mkdir(parents=True)
        found = {
            target.python: collect(pins_of(selection, target), target, wheels) for target in selection.targets()
        }
        own = own_wheel(Path(temporary) / "own", date)
        names = [add_model(model, folder / "models") for model in models]
        write_sbom(folder / "sbom", selection, found, date, name="kascribe")
        pip = pip_wheel(selection.locks(), selection.targets()[0], wheels)
        write(folder, selection, found, own, pip, names)
        if as_folder:
            shutil.rmtree(output / name, ignore_errors=True)
            return folder.rename(output / name)
        archive = Path(temporary) / f"{name}.tar"
        pack(folder, archive, date)
        for file in (archive, archive.with_name(f"{archive.name}.sha256")):
            file.replace(output / file.name)
        return output / archive.name


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what a bundle holds."""
    parser.add_argument(
        "--role", choices=EXTRAS, default="all", metavar="ROLE", help=f"{', '.join(EXTRAS)} (default: all)"
    )
    parser.add_argument("--cuda", action="store_true", help="add cuBLAS for a GPU, 600 MB")
    parser.add_argument(
        "--python", action="append", choices=PYTHONS, help="a version of Python; repeat for others (default: both)"
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="a model's name or directory; repeat for others",
    )
    parser.add_argument(
        "--wheels",
        type=Path,
        default=default_cache() / "wheels",
        metavar="DIR",
        help="where downloaded wheels are kept (default: wheels in KASCRIBE_CACHE)",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.bundle", description="Build the offline bundle: docs/offline.md says how to use it."
    )
    add_choices(parser)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR", help="(default: dist)")
    parser.add_argument("--folder", action="store_true", help="write a folder instead of an archive")
    parser.add_argument("--json", action="store_true", help="print path, size_bytes and seconds as JSON")
    return parser


def _report(built: Path, seconds: float, *, as_json: bool) -> None:
    files = [built] if built.is_file() else [path for path in built.rglob("*") if path.is_file()]
    size_bytes = sum(file.stat().st_size for file in files)
    if as_json:
        print(json.dumps({"path": str(built), "size_bytes": size_bytes, "seconds": round(seconds, 1)}))
        return
    print(f"{built}  {size_bytes / 1e6:.1f} MB, built in {seconds:.0f} s")
    if built.is_file():
        print(f"Check it after copying: sha256sum --check {built.name}.sha256")


if __name__ == "__main__":
    sys.exit(main())
