"""Selection of the files in a folder to transcribe: one rule for the drop folder and for the commands."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

UNFINISHED_SUFFIXES: Final = frozenset({".part", ".partial", ".crdownload", ".download", ".tmp", ".swp"})
HIDDEN: Final = "hidden or unfinished"
OnSkipped = Callable[[Path, str], None]
"""Called with a path that is left out, and why."""


def files_in(directory: Path, *, on_skipped: OnSkipped | None = None) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files of a folder and its subfolders as they are now, by name.

    Hidden and unfinished files, folders that cannot be listed, and files that vanish during the call, are left
    out. Empty files are included: they are reported, not ignored.
    """
    skip = on_skipped or _ignore
    found = [
        Path(folder, name) for folder, names in _folders(directory, skip) for name in _meant(folder, names, skip)
    ]
    for path in sorted(found):
        try:
            status = path.stat()
            is_file = path.is_file()
        except OSError as error:
            skip(path, str(error.strerror))
            continue
        if is_file:
            yield path, status


def _folders(directory: Path, skip: OnSkipped) -> Iterator[tuple[str, list[str]]]:
    def report(error: OSError) -> None:
        skip(Path(error.filename), str(error.strerror))

    for folder, subfolders, names in os.walk(directory, onerror=report):
        subfolders[:] = _meant(folder, subfolders, skip)
        yield folder, names


def _meant(folder: str, names: list[str], skip: OnSkipped) -> list[str]:
    meant = []
    for name in names:
        if name.startswith((".", "~")) or Path(name).suffix.lower() in UNFINISHED_SUFFIXES:
            skip(Path(folder, name), HIDDEN)
        else:
            meant.append(name)
    return meant


def _ignore(_path: Path, _why: str) -> None:
    pass
