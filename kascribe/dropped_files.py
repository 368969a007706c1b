"""Selection of the files in a folder to transcribe: one rule for the drop folder and for ``submit DIR``."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

UNFINISHED_SUFFIXES: Final = frozenset({".part", ".partial", ".crdownload", ".download", ".tmp", ".swp"})


def files_in(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files of a folder and its subfolders as they are now, by name.

    Hidden and unfinished files, and those that vanish during the call, are left out. Empty files are included:
    they are reported, not ignored.
    """
    found = [
        Path(folder, name) for folder, names in _folders(directory) for name in names if _is_meant(Path(name))
    ]
    for path in sorted(found):
        try:
            status = path.stat()
            is_file = path.is_file()
        except OSError:
            continue
        if is_file:
            yield path, status


def _folders(directory: Path) -> Iterator[tuple[str, list[str]]]:
    # A folder that cannot be listed, or is gone by now, is skipped: os.walk() does not report it.
    for folder, subfolders, names in os.walk(directory):
        subfolders[:] = [name for name in subfolders if _is_meant(Path(name))]
        yield folder, names


def _is_meant(name: Path) -> bool:
    return not name.name.startswith((".", "~")) and name.suffix.lower() not in UNFINISHED_SUFFIXES
