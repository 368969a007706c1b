"""Locks as values: each package's version, when it applies, and the digests of its files."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.bundle.errors import BundleError
from deploy.bundle.target import Target


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock. ``hashes`` are the SHA-256 digests, in hexadecimal, of all its files on an index."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def line(self, digest: str) -> str:
        """Return a line of a requirements file that accepts a single file."""
        return f"{self.name}=={self.version} --hash=sha256:{digest}"


def read_lock(text: str, target: Target) -> dict[str, Pin]:
    """Return by name the packages of a lock that apply to a target. Raises BundleError for one without hashes."""
    pins: dict[str, Pin] = {}
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        written, *_ = line.split(" --hash", 1)
        hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", line))
        if not hashes:
            raise BundleError(f"the lock has no hashes for {written.strip()}: run make lock")
        requirement = Requirement(written)
        if requirement.marker is None or requirement.marker.evaluate(target.markers()):
            (version,) = requirement.specifier
            name = canonicalize_name(requirement.name)
            pins[name] = Pin(name, version.version, hashes)
    return pins


def read_locks(paths: Iterable[Path], target: Target) -> dict[str, Pin]:
    """Return by name the packages of several locks, of which no package is in two."""
    pins: dict[str, Pin] = {}
    for path in paths:
        pins |= read_lock(path.read_text(encoding="utf-8"), target)
    return pins
