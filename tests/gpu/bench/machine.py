"""The GPU machine made ready: packages from the packet, cuBLAS under the name that CTranslate2 asks for.

Imports the standard library alone: it runs before anything is installed.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
CUBLAS: Final = "libcublas.so"
CUBLAS_PARTS: Final = (CUBLAS, "libcublasLt.so")
WANTED_VERSION: Final = "12"
PRESENT_VERSION: Final = "13"
"""CTranslate2's wheels open cuBLAS 12 by name; the nine functions that they look up are in cuBLAS 13 as well."""
COMPILATION_CACHE: Final = "cuda-cache.tar.xz"
CACHE_BYTES_LIMIT: Final = 64 * 1024**2
"""A larger compilation cache takes too long to compress at the end of a run, and is left."""
ARCHIVE_BYTES_LIMIT: Final = 7 * 1024**2
"""A larger archive is not kept: repository (22 MB), packet (38 MB) and cache are to travel in 64 MiB."""


def is_installed() -> bool:
    """Return whether this Python has CTranslate2, so that the packet is not needed."""
    return find_spec("ctranslate2") is not None


def unpack(packet: Path, site: Path) -> list[str]:
    """Unpack the packet's packages into ``site`` and return their archives' names. Blocks for seconds."""
    archives = sorted(path for path in packet.glob("*.tar.xz") if path.name != COMPILATION_CACHE)
    site.mkdir(parents=True, exist_ok=True)

    def extract(archive: Path) -> str:
        with tarfile.open(archive, "r:xz") as content:
            content.extractall(site, filter="data")
        return archive.name

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(extract, archives))


def cublas_folders(places: Iterable[str | Path] = ()) -> list[Path]:
    """List the folders that hold a cuBLAS: below ``places`` (default: Python's packages), then the system's."""
    roots = [Path(place) for place in (places or sys.path) if place]
    found = [file.parent for root in roots for file in sorted((root / "nvidia").glob(f"**/{CUBLAS}.1[23]"))]
    if not places:
        found += [file.parent for file in sorted(Path("/usr/local").glob(f"cuda*/lib64/{CUBLAS}.1[23]"))]
    return list(dict.fromkeys(found))


def link_cublas(folders: Iterable[Path], links: Path) -> list[Path]:
    """Return the folders for the library path, so that cuBLAS 12 is found by name.

    Where only cuBLAS 13 exists, ``links`` gets links to it by the name of 12. Empty when there is neither.
    """
    folders = list(folders)
    for folder in folders:
        if (folder / f"{CUBLAS}.{WANTED_VERSION}").exists():
            return [folder]
    for folder in folders:
        if (folder / f"{CUBLAS}.{PRESENT_VERSION}").exists():
            links.mkdir(parents=True, exist_ok=True)
            for part in CUBLAS_PARTS:
                link = links / f"{part}.{WANTED_VERSION}"
                link.unlink(missing_ok=True)
                link.symlink_to((folder / f"{part}.{PRESENT_VERSION}").resolve())
            return [links, folder]  # the linked library itself opens its other part by the name of 13
    return []


def environment(work: Path, *, site: Path, library_folders: Iterable[Path], cache: Path) -> dict[str, str]:
    """Return the environment of the process that measures."""
    variables = dict(os.environ)
    variables["PYTHONPATH"] = os.pathsep.join(map(str, (site, ROOT))) if site.is_dir() else str(ROOT)
    path = [*map(str, library_folders), *filter(None, [variables.get("LD_LIBRARY_PATH")])]
    variables["LD_LIBRARY_PATH"] = os.pathsep.join(path)
    variables["CUDA_CACHE_PATH"] = str(cache)
    variables["CUDA_CACHE_MAXSIZE"] = str(2 * 1024**3)
    variables["PYTHONUNBUFFERED"] = "1"
    variables["TMPDIR"] = str(work)
    return variables


def restore_cache(packet: Path, cache: Path) -> int:
    """Unpack an earlier run's compilation cache where the packet has one; return the bytes in the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    if (archive := packet / COMPILATION_CACHE).is_file():
        with tarfile.open(archive, "r:xz") as content:
            content.extractall(cache, filter="data")
    return tree_bytes(cache)


def keep_cache(cache: Path, out: Path) -> str:
    """Archive the compilation cache to ``out`` where it is small; return what became of it."""
    size = tree_bytes(cache)
    if not size:
        return "nothing was compiled"
    if size > CACHE_BYTES_LIMIT:
        return f"{size / 1e6:.0f} MB compiled, too many to keep"
    archive = out / COMPILATION_CACHE
    with tarfile.open(archive, "w:xz", preset=1) as content:
        content.add(cache, arcname=".")
    if archive.stat().st_size > ARCHIVE_BYTES_LIMIT:
        archive.unlink()
        return f"{size / 1e6:.0f} MB compiled, too many to keep"
    return f"{size / 1e6:.1f} MB compiled, kept in {archive}"


def tree_bytes(directory: Path) -> int:
    """Return the size of all files below a directory."""
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def describe() -> dict[str, str | int]:
    """Return what the figures depend on: card, driver, cores."""
    facts: dict[str, str | int] = {"cores": len(os.sched_getaffinity(0))}
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        finished = subprocess.run(query, capture_output=True, text=True, check=False, timeout=60)
        facts["gpu"] = finished.stdout.strip() or finished.stderr.strip()
    return facts
