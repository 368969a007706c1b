"""The source texts of a tree: the working tree, or a revision without checking it out."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from tests.structure.sources import PROJECT

ROOT: Final = Path(__file__).parents[2]


class NoSuchRevision(Exception):
    """git does not know the revision, or this is not a git checkout. The message is git's."""


def working_tree(root: Path = ROOT) -> dict[str, str]:
    """Read every file that git does not ignore, as it is on the disk.

    Raises NoSuchRevision where ``root`` is not a git checkout.
    """
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").decode()
    paths = {path for path in listed.split("\0") if _is_wanted(path) and (root / path).is_file()}
    return {path: (root / path).read_text(encoding="utf-8") for path in paths}


def revision(name: str, root: Path = ROOT) -> dict[str, str]:
    """Read a commit, branch or tag. Raises NoSuchRevision."""
    with open_revision(name, root) as tar:
        return {
            member.name: file.read().decode("utf-8")
            for member in tar
            if member.isfile() and _is_wanted(member.name) and (file := tar.extractfile(member))
        }


def open_revision(name: str, root: Path = ROOT) -> tarfile.TarFile:
    """Open the whole tree of a commit, branch or tag, through ``git archive``. Raises NoSuchRevision."""
    commit = _git(root, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").decode().strip()
    # The whole tree, 16 MB: git archive fails where one of several patterns matches nothing.
    return tarfile.open(fileobj=io.BytesIO(_git(root, "archive", "--format=tar", commit)))


def _is_wanted(path: str) -> bool:
    return path.endswith(".py") or path == PROJECT


def _git(root: Path, *arguments: str) -> bytes:
    ended = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    if ended.returncode:
        raise NoSuchRevision(ended.stderr.decode(errors="replace").strip())
    return ended.stdout
