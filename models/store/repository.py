"""The seam to a hub: a repository of files at one commit, and a way to get their bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Received = Callable[[int], None]
"""Takes the number of bytes of one file that are on disk."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository. ``sha256`` is known for what is kept as LFS, ``git_sha1`` for the rest."""

    path: str
    size_bytes: int
    sha256: str | None
    git_sha1: str | None


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at one commit."""

    name: str
    commit: str
    source: str
    files: tuple[RemoteFile, ...]


class Hub(Protocol):
    """Where models come from. Everything it cannot do is a StoreError."""

    def repository(self, name: str, *, revision: str | None = None) -> Repository:
        """What a repository holds at a branch, tag or commit; None is its main branch."""
        ...

    def fetch(self, repository: Repository, file: RemoteFile, into: Path, received: Received) -> None:
        """Completes ``into`` with the bytes that it lacks. Blocks; safe to repeat; checks no content."""
        ...
