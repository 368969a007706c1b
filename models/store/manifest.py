"""Manifest beside a model: its repository and commit, and the digest of each file."""

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import StoreError

MANIFEST_NAME: Final = "kascribe-manifest.json"
_BLOCK_BYTES: Final = 1024**2


class ManifestFile(BaseModel):
    """One file, relative to the model's directory."""

    model_config = ConfigDict(frozen=True)

    path: str
    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    """Record of a pull. ``revision`` is the commit, also if pulled by branch or tag; ``source`` is the URL."""

    model_config = ConfigDict(frozen=True)

    repository: str
    revision: str
    source: str
    pulled_at: datetime
    files: tuple[ManifestFile, ...]

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size_bytes for file in self.files)

    def write(self, directory: Path) -> None:
        """Write the manifest beside the files; synced to disk on return."""
        with (directory / MANIFEST_NAME).open("w", encoding="utf-8") as file:
            file.write(self.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, directory: Path) -> "Manifest | None":
        """Read the manifest of a model; None when it has none. Raises StoreError when it is damaged."""
        path = directory / MANIFEST_NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise StoreError(f"{path} cannot be read: remove the model and pull it again") from error

    def problems(self, directory: Path) -> tuple[str, ...]:
        """Compare with the files in ``directory``; return a sentence per difference. Reads every byte."""
        found = (_problem(file, directory / file.path) for file in self.files)
        return tuple(problem for problem in found if problem)


def sha256_of(path: Path) -> str:
    """Compute the digest of a file, block by block."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_blob_sha1_of(path: Path) -> str:
    """Compute git's object id of a file, which hubs list for small files. For identity, not for security."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _problem(file: ManifestFile, path: Path) -> str:
    try:
        size_bytes = path.stat().st_size
        if size_bytes != file.size_bytes:
            return f"{file.path} has {size_bytes} bytes; the manifest says {file.size_bytes}"
        if sha256_of(path) != file.sha256:
            return f"{file.path} has other content than the manifest says"
    except FileNotFoundError:
        return f"{file.path} is missing"
    except OSError as error:
        return f"{file.path} cannot be read: {error.strerror}"
    return ""
