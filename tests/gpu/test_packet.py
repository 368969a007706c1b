"""The packet for the GPU machine, built of wheels that are made on the spot."""

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.gpu.bench import machine
from tests.gpu.packet import (
    COMPILATION_CACHE,
    MANIFEST,
    PACKAGES,
    ROOT,
    PacketError,
    build,
    download,
    locked_requirements,
    packet_bytes,
)
from tests.support.listening import missing

LOCK: Final = (ROOT / "requirements.lock").read_text(encoding="utf-8")
SMALL: Final = ("annotated-types", "typing-inspection")
MARK: Final = b"what a debugger would read"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Make a wheel with a module, a test, a stub, and a shared object with debug symbols."""
    if shutil.which("strip") is None or shutil.which("objcopy") is None:
        missing("binutils is not installed")
    library = next(Path(shutil.which("strip") or "").resolve().parents[1].glob("lib/**/libm.so.6"), None)
    if library is None:
        missing("there is no shared object to add debug symbols to")
    symbols, shared = tmp_path / "symbols", tmp_path / "engine.so"
    symbols.write_bytes(MARK)
    subprocess.run(["objcopy", f"--add-section=.debug_info={symbols}", str(library), str(shared)], check=True)
    assert MARK in shared.read_bytes()
    path = tmp_path / "engine-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as content:
        content.write(shared, "engine/engine.so")
        for name in ("engine/__init__.py", "engine/engine.pyi", "engine/tests/test_engine.py"):
            content.writestr(name, "")
        content.writestr("engine-1.2.dist-info/METADATA", "Name: engine\nVersion: 1.2\n")
    return path


def test_what_the_gpu_machine_lacks_is_locked_with_hashes() -> None:
    """Every package of the packet comes from the lock, so what runs there is what was tested here."""
    requirements = locked_requirements(LOCK)
    assert [line.split("==")[0] for line in requirements.splitlines() if "==" in line] == list(PACKAGES)
    assert requirements.count("--hash=sha256:") >= 2 * len(PACKAGES)
    assert not requirements.endswith("\\\n")


def test_a_package_without_a_lock_is_refused() -> None:
    """A wheel of unknown origin is never sent."""
    with pytest.raises(PacketError, match="make lock"):
        locked_requirements(LOCK, ["no-such-package"])


def test_packed_wheels_come_out_without_symbols_tests_and_stubs(wheel: Path, tmp_path: Path) -> None:
    """Modules and metadata are complete; what only developers read is gone."""
    folder = tmp_path / ".gpu"
    (part,) = build([wheel], folder)
    assert part.archive == "engine-1.2.tar.xz"
    assert {file.name for file in folder.iterdir()} == {part.archive, MANIFEST}
    site = tmp_path / "site"
    assert machine.unpack(folder, site) == [part.archive]
    files = {str(file.relative_to(site)) for file in site.rglob("*") if file.is_file()}
    assert files == {"engine/__init__.py", "engine/engine.so", "engine-1.2.dist-info/METADATA"}
    assert MARK not in (site / "engine" / "engine.so").read_bytes()


def test_a_packet_above_the_limit_leaves_the_earlier_one(wheel: Path, tmp_path: Path) -> None:
    """What cannot be sent is not built."""
    folder = tmp_path / ".gpu"
    build([wheel], folder)
    before = packet_bytes(folder)
    with pytest.raises(PacketError, match="more than 100"):
        build([wheel], folder, bytes_limit=100)
    assert packet_bytes(folder) == before


def test_a_new_packet_keeps_the_compilation_cache(wheel: Path, tmp_path: Path) -> None:
    """What an earlier run compiled saves the next run its first minutes."""
    folder, kernels = tmp_path / ".gpu", tmp_path / "kernels"
    kernels.mkdir()
    (kernels / "index").write_bytes(b"compiled")
    folder.mkdir()
    assert "kept" in machine.keep_cache(kernels, folder)
    build([wheel], folder)
    with tarfile.open(folder / COMPILATION_CACHE) as content:
        assert "./index" in content.getnames()
    restored = tmp_path / "restored"
    assert machine.restore_cache(folder, restored) == len(b"compiled")


def test_wheels_are_downloaded_for_the_other_python_and_verified(tmp_path: Path) -> None:
    """The locked versions are taken for the GPU machine's Python, whichever runs here."""
    requirements = locked_requirements(LOCK, SMALL)
    try:
        wheels = download(requirements, tmp_path / "wheels")
    except PacketError as error:
        missing(str(error))
    assert sorted(wheel.name.split("-")[0] for wheel in wheels) == ["annotated_types", "typing_inspection"]
