"""Whether the disk for scratch files takes what the roles write."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from consumers.transcriber.scratch import ROOM_BYTES
from kascribe.operations.doctor.findings import Finding, failed, ok, warning
from schemas.settings import Settings

PROBE_BYTES: Final = 1024**2
"""Written and removed again."""

GIBIBYTE: Final = 1024**3
MEMORY_FILE_SYSTEMS: Final = frozenset({"tmpfs", "ramfs"})


def check_scratch(settings: Settings, *, uploads: bool) -> Iterator[Finding]:
    """Yield whether scratch files can be written, and are large enough. ``uploads``: a gateway is examined."""
    name, folder = "scratch", Path(tempfile.gettempdir())
    remedy = "set TMPDIR to a folder on a disk with room, writable by the role's user"
    try:
        _write(folder)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = f"{folder} is full" if full else f"{folder} cannot be written: {error.strerror}"
        yield failed(name, why, f"free space there, or {remedy}" if full else remedy)
        return
    disk = shutil.disk_usage(folder)
    kind = file_system_of(folder)
    in_memory = " in memory" if kind in MEMORY_FILE_SYSTEMS else ""
    found = f"{folder} ({kind}{in_memory}): {disk.free / GIBIBYTE:.1f} of {disk.total / GIBIBYTE:.1f} GiB free"
    largest = settings.s3.object_limit_bytes
    wanted = max(largest, settings.gateway.spool_limit_bytes if uploads else 0)
    if disk.free < ROOM_BYTES:
        yield failed(
            name, f"{found}: roles pause below {ROOM_BYTES / 1024**2:.0f} MiB", f"free space, or {remedy}"
        )
    elif disk.free < wanted:
        what = "the uploads of a gateway" if wanted > largest else "the largest object that is allowed"
        yield warning(name, f"{found}; {what} may take {wanted / GIBIBYTE:.1f} GiB", f"free space, or {remedy}")
    elif in_memory:
        yield warning(name, f"{found}; scratch files count as memory of the role", remedy)
    else:
        yield ok(name, found)


def check_archive_file(path: Path) -> Finding:
    """Return whether a SQLite archive can be made or written at ``path``."""
    name, folder = "archive folder", path.absolute().parent
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(there, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return failed(name, f"{there} cannot be written by this user", "chown it to the role's user")
    free = shutil.disk_usage(there).free
    if free < GIBIBYTE:
        remedy = "free space: 100,000 jobs take about 800 MB"
        return warning(name, f"{free / GIBIBYTE:.1f} GiB free for {path}", remedy)
    return ok(name, f"{path}: {free / GIBIBYTE:.1f} GiB free")


def file_system_of(folder: Path) -> str:
    """Return the kind of the file system that holds a folder, as in ext4; "unknown" where it cannot be told."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    best, kind = "", "unknown"
    for line in lines:
        place, _, rest = line.partition(" - ")
        mounted = place.split()[4].replace("\\040", " ")
        if folder.resolve().is_relative_to(mounted) and len(mounted) >= len(best):
            best, kind = mounted, rest.split()[0]
    return kind


def _write(folder: Path) -> None:
    with tempfile.NamedTemporaryFile(prefix="kascribe-doctor-", dir=folder) as probe:
        probe.write(bytes(PROBE_BYTES))
        probe.flush()
        os.fsync(probe.fileno())
