"""The wheels of a bundle: kept in a cache, downloaded when missing, and hashed every time that they are used."""

import hashlib
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from deploy.bundle.errors import BundleError
from deploy.bundle.lock import Pin, read_locks
from deploy.bundle.selection import run
from deploy.bundle.target import Target, platforms

DOWNLOAD_SECONDS: Final = 3600.0
"""Limit of one download; both locks of both Pythons are a gigabyte."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file that a lock accepts and that a target can install."""

    pin: Pin
    path: Path
    sha256: str

    @property
    def requirement(self) -> str:
        """The line that installs this file, and no other."""
        return self.pin.line(self.sha256)

    @property
    def installed_bytes(self) -> int:
        """About what it takes on disk: its files, and each module once more, compiled."""
        with zipfile.ZipFile(self.path) as content:
            files = content.infolist()
        return sum(file.file_size * (2 if file.filename.endswith(".py") else 1) for file in files)


def collect(pins: Sequence[Pin], target: Target, folder: Path) -> tuple[Wheel, ...]:
    """Return the wheel of each package for a target; download those that ``folder`` lacks.

    Every file is hashed and compared with the lock. Blocks for the network. Raises BundleError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {pin: _find(pin, target, folder) for pin in pins}
    if missing := [pin for pin, wheel in found.items() if wheel is None]:
        download(missing, target, folder)
        found |= {pin: _find(pin, target, folder) for pin in missing}
    if lacking := sorted(pin.name for pin, wheel in found.items() if wheel is None):
        raise BundleError(
            f"no wheel that the lock accepts suits Python {target.python} and glibc 2.28: {', '.join(lacking)}"
        )
    return tuple(wheel for wheel in found.values() if wheel is not None)


def download(pins: Iterable[Pin], target: Target, folder: Path) -> None:
    """Download wheels with pip, which verifies their hashes. Blocks. Raises BundleError."""
    with tempfile.TemporaryDirectory() as temporary:
        listed = Path(temporary) / "requirements.txt"
        listed.write_text("\n".join(_accepting_all(pin) for pin in pins) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--implementation=cp"]
        command += [f"--python-version={target.python}", f"--abi=cp{target.python.replace('.', '')}"]
        command += ["--abi=abi3", "--abi=none", *(f"--platform={platform}" for platform in platforms())]
        command += [f"--dest={folder}", f"--requirement={listed}"]
        run(command, f"pip could not download wheels for Python {target.python}", DOWNLOAD_SECONDS)


def pip_wheel(locks: Iterable[Path], target: Target, folder: Path) -> Wheel:
    """Return the wheel of pip that the locks pin, which the installer runs. Blocks. Raises BundleError."""
    (wheel,) = collect([read_locks(locks, target)["pip"]], target, folder)
    return wheel


def sha256_of(path: Path) -> str:
    """Return the digest of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _accepting_all(pin: Pin) -> str:
    return f"{pin.name}=={pin.version} " + " ".join(f"--hash=sha256:{digest}" for digest in pin.hashes)


def _find(pin: Pin, target: Target, folder: Path) -> Wheel | None:
    for path in _candidates(pin, target, folder):
        digest = sha256_of(path)
        if digest in pin.hashes:
            return Wheel(pin, path, digest)
        path.unlink()  # an interrupted download, or a damaged file
    return None


def _candidates(pin: Pin, target: Target, folder: Path) -> Iterator[Path]:
    """Yield the files of this package and version that the target can install, the best first."""
    ranked = ((_rank(path, pin, target), path) for path in folder.glob("*.whl"))
    for _, path in sorted((rank, path) for rank, path in ranked if rank is not None):
        yield path


def _rank(path: Path, pin: Pin, target: Target) -> int | None:
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        return None
    if (canonicalize_name(name), version) != (pin.name, Version(pin.version)):
        return None
    return min((target.ranks[tag] for tag in tags if tag in target.ranks), default=None)
