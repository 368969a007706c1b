"""The packet that a GPU machine without a network needs beside the repository.

    python -m tests.gpu.packet

downloads what is locked, for Python 3.12 on Linux x86-64, and writes ``.gpu``: one archive per package, without
debug symbols and without parts that nothing imports. The machine has torch with its cuBLAS, numpy, onnxruntime,
tokenizers and huggingface_hub itself.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".gpu"
PACKAGES: Final = (
    "annotated-types",
    "av",
    "ctranslate2",
    "faster-whisper",
    "pydantic",
    "pydantic-core",
    "structlog",
    "typing-inspection",
)
"""What the engine imports and an image for torch lacks."""
PYTHON_VERSION: Final = "3.12"
PLATFORMS: Final = (
    *(f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 26, 24, 17, 12, 5)),
    *(f"manylinux{generation}_x86_64" for generation in ("2014", "2010", "1")),
)
"""pip matches a platform exactly, so each that a machine with glibc 2.28 can use is named."""
PACKET_BYTES_LIMIT: Final = 60_000_000
COMPILATION_CACHE: Final = "cuda-cache.tar.xz"
"""Comes from an earlier run. A packet that is built again keeps it."""
MANIFEST: Final = "packet.json"

_SHARED_OBJECT: Final = re.compile(r"\.so(\.\d+)*$")
_UNNEEDED_FOLDERS: Final = frozenset({"tests", "include", "__pycache__", "sboms"})
_UNNEEDED_SUFFIXES: Final = frozenset({".pyi", ".pyx", ".pxd", ".h", ".c"})


class PacketError(Exception):
    """The packet cannot be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Part:
    """One archive of the packet. ``wheel_bytes`` is what was downloaded."""

    archive: str
    wheel: str
    wheel_bytes: int
    archive_bytes: int
    sha256: str


def locked_requirements(lock: str, packages: Sequence[str] = PACKAGES) -> str:
    """Return the lock's lines for the packages, with their hashes. Raises PacketError when one is not locked."""
    blocks = []
    for package in packages:
        found = re.search(rf"^{re.escape(package)}==[^\n]*(?:\n +--hash=[^\n]*)+", lock, re.MULTILINE)
        if found is None:
            raise PacketError(f"requirements.lock has no hashes for {package}; run make lock")
        blocks.append(found[0].removesuffix("\\").rstrip())
    return "\n".join(blocks) + "\n"


def download(requirements: str, directory: Path) -> list[Path]:
    """Download the wheels for the GPU machine and verify their hashes. Blocks for the network.

    Raises PacketError with pip's output.
    """
    directory.mkdir(parents=True)
    listed = directory / "requirements.txt"
    listed.write_text(requirements, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += [
        "--require-hashes",
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={PYTHON_VERSION}",
    ]
    command += [f"--platform={platform}" for platform in PLATFORMS]
    command += [f"--dest={directory}", f"--requirement={listed}"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise PacketError(f"pip could not download the wheels:\n{finished.stdout}{finished.stderr}")
    return sorted(directory.glob("*.whl"))


def build(wheels: Sequence[Path], folder: Path, *, bytes_limit: int = PACKET_BYTES_LIMIT) -> list[Part]:
    """Pack the wheels, replace ``folder`` by the result, and return its parts. Blocks for a minute.

    Raises PacketError when the result is larger than ``bytes_limit``, or when ``strip`` is missing; ``folder``
    then stays as it was.
    """
    if shutil.which("strip") is None:
        raise PacketError("strip is missing; install binutils")
    if not wheels:
        raise PacketError("there are no wheels to pack")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".gpu-") as temporary:
        fresh = Path(temporary) / "packet"
        fresh.mkdir()
        parts = [_pack(wheel, fresh) for wheel in wheels]
        (fresh / MANIFEST).write_text(json.dumps([asdict(part) for part in parts], indent=2) + "\n")
        if (cache := folder / COMPILATION_CACHE).is_file():
            shutil.copy2(cache, fresh)
        size = packet_bytes(fresh)
        if size > bytes_limit:
            largest = max(fresh.iterdir(), key=lambda file: file.stat().st_size).name
            raise PacketError(
                f"the packet has {size:,} bytes, more than {bytes_limit:,}; {largest} is the largest"
            )
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    return parts


def packet_bytes(folder: Path) -> int:
    """Return the size of all files in the packet."""
    return sum(file.stat().st_size for file in folder.iterdir())


def _pack(wheel: Path, folder: Path) -> Part:
    with tempfile.TemporaryDirectory() as temporary:
        unpacked = Path(temporary)
        with zipfile.ZipFile(wheel) as content:
            content.extractall(unpacked)  # noqa: S202 - pip verified its hash
        for file in [each for each in unpacked.rglob("*") if each.is_file()]:
            _slim(file, file.relative_to(unpacked))
        package = "-".join(wheel.name.split("-")[:2])
        archive = folder / f"{package}.tar.xz"
        with tarfile.open(archive, "w:xz") as packed:
            packed.add(unpacked, arcname=".")
    return Part(
        archive=archive.name,
        wheel=wheel.name,
        wheel_bytes=wheel.stat().st_size,
        archive_bytes=archive.stat().st_size,
        sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
    )


def _slim(file: Path, relative: Path) -> None:
    if _UNNEEDED_FOLDERS.intersection(relative.parts[:-1]) or file.suffix in _UNNEEDED_SUFFIXES:
        file.unlink()
    elif _SHARED_OBJECT.search(file.name):
        subprocess.run(["strip", "--strip-debug", str(file)], check=True)


def main() -> None:
    """Build the packet and print its sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, help="a folder of wheels to pack, instead of downloading")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            if arguments.wheels:
                wheels = sorted(arguments.wheels.glob("*.whl"))
            else:
                lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
                wheels = download(locked_requirements(lock), Path(temporary) / "wheels")
            parts = build(wheels, arguments.folder)
    except PacketError as error:
        sys.exit(f"error: {error}")
    for part in parts:
        print(f"{part.archive_bytes / 1e6:6.1f} MB  {part.archive}  (wheel: {part.wheel_bytes / 1e6:.1f} MB)")
    size = packet_bytes(arguments.folder)
    print(f"{size / 1e6:6.1f} MB  {arguments.folder} in all, of {PACKET_BYTES_LIMIT / 1e6:.0f} MB allowed")


if __name__ == "__main__":
    main()
