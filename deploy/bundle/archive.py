"""Archives that are the same bytes whenever the same files are packed."""

import os
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from deploy.bundle.selection import ROOT
from deploy.bundle.wheels import sha256_of

SUMS: Final = "SHA256SUMS"


def source_date() -> int:
    """Return the time that is written into archives: SOURCE_DATE_EPOCH, or that of the commit, in seconds."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "log", "-1", "--format=%ct"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return int(shown.stdout) if shown.returncode == 0 and shown.stdout.strip() else 315532800


def write_sums(folder: Path) -> None:
    """Write the digest of every file in ``folder`` beside them, as sha256sum reads them."""
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in files if name != SUMS]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def pack(folder: Path, archive: Path, date: int) -> str:
    """Pack a folder into a tar archive, write its digest beside it, and return the digest.

    Wheels and weights are compressed or random, so the archive is not compressed.
    """
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as packed:
        for path in [folder, *sorted(folder.rglob("*"))]:
            entry = packed.gettarinfo(path, arcname=str(path.relative_to(folder.parent)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = date
            entry.mode = 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644
            if path.is_file():
                with path.open("rb") as content:
                    packed.addfile(entry, content)
            else:
                packed.addfile(entry)
    digest = sha256_of(archive)
    archive.with_name(f"{archive.name}.sha256").write_text(f"{digest}  {archive.name}\n", encoding="utf-8")
    return digest
