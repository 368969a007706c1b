"""Provenance of a transcript: digest of the weights, versions of packages."""

import hashlib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from schemas.errors import ConfigurationError


def model_sha256(directory: Path) -> str:
    """Return the digest of the model's weights, hexadecimal. Reads the file once per size and mtime."""
    path = directory / "model.bin"
    try:
        stat = path.stat()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}; is it a CTranslate2 model?") from error
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest(path: Path, _size_bytes: int, _changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def installed_version(package: str) -> str:
    """Return the version of an installed package; ``unknown`` when it runs from a source tree."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
