"""Command line of the bill of materials: `python -m deploy.sbom`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.bundle.archive import source_date
from deploy.bundle.contents import version
from deploy.bundle.errors import BundleError
from deploy.bundle.selection import EXTRAS, ROOT, Selection, pins_of
from deploy.bundle.target import PYTHONS
from deploy.bundle.wheels import collect
from deploy.sbom.writing import write_sbom
from deploy.stack.cache import default_cache


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both files. Returns 0 on success, 1 on failure."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.sbom",
        description="Write the bill of materials (CycloneDX 1.6) and the licences of what the locks install.",
    )
    parser.add_argument(
        "--role", choices=EXTRAS, default="all", metavar="ROLE", help=f"{', '.join(EXTRAS)} (default: all)"
    )
    parser.add_argument("--cuda", action="store_true", help="include cuBLAS, 600 MB to download")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR", help="(default: dist)")
    chosen = parser.parse_args(arguments)
    selection = Selection(chosen.role, chosen.cuda, PYTHONS)
    cache = default_cache() / "wheels"
    try:
        wheels = {
            target.python: collect(pins_of(selection, target), target, cache) for target in selection.targets()
        }
        name = f"kascribe-{version()}-{selection.name}"
        for path in write_sbom(chosen.output, selection, wheels, source_date(), name=name):
            print(path)
    except BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
