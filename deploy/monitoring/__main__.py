"""``python -m deploy.monitoring [--check]``: write alerts, dashboards and their page, or name what differs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.monitoring.files import DASHBOARDS, ROOT, generated_files


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files; return the exit code, 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m deploy.monitoring", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; name the files that differ")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    chosen = parser.parse_args(arguments)
    wanted = generated_files()
    stale = [
        path for path in (chosen.root / DASHBOARDS).glob("*.json") if path.relative_to(chosen.root) not in wanted
    ]
    if not chosen.check:
        for path, text in wanted.items():
            (chosen.root / path).parent.mkdir(parents=True, exist_ok=True)
            (chosen.root / path).write_text(text, encoding="utf-8")
        for path in stale:
            path.unlink()
        return 0
    different = [path for path, text in wanted.items() if _text(chosen.root / path) != text]
    for path in (*different, *(path.relative_to(chosen.root) for path in stale)):
        print(f"{path} differs from what is generated")
    if different or stale:
        print("run `make docs` and commit what it writes", file=sys.stderr)
    return 1 if different or stale else 0


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
