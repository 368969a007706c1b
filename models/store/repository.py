"""Port to a hub: a repository of files at one commit, and the transfer of their bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

OnBytes = Callable[[int], None]
"""Callback with the number of bytes of one file that are on disk."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository. ``sha256`` is known for files in Git LFS, ``git_sha1`` for the others."""

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
    """Source of models. Every failure is a StoreError."""

    def repository(self, name: str, *, revision: str | None = None) -> Repository:
        """List a repository at a branch, tag or commit; None is its main branch."""
        ...

    def fetch(self, repository: Repository, file: RemoteFile, into: Path, on_bytes: OnBytes) -> None:
        """Append the missing bytes to ``into``. Blocks; safe to repeat; does not check the content."""
        ...
