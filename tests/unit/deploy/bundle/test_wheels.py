"""Wheels in a folder: the best that a target can install, and only files that the lock accepts."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

from deploy.bundle.archive import SUMS, pack, write_sums
from deploy.bundle.errors import BundleError
from deploy.bundle.lock import Pin
from deploy.bundle.target import Target
from deploy.bundle.wheels import collect, download, sha256_of
from tests.support.listening import missing

TARGET: Final = Target("3.12")


def wheel(folder: Path, tags: str, name: str = "engine", content: str = "") -> Path:
    """Make a wheel with one module."""
    path = folder / f"{name}-1.2-{tags}.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("engine.py", "x = 1\n")
        file.writestr("engine.so", f"{tags}{content}")
    return path


def test_the_best_wheel_of_several_is_taken(tmp_path: Path) -> None:
    """Of those that the machine can use, the newest; the others stay for other targets."""
    files = [
        wheel(tmp_path, f"cp312-cp312-{platform}")
        for platform in ("manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64")
    ]
    pin = Pin("engine", "1.2", tuple(map(sha256_of, files)))
    (found,) = collect([pin], TARGET, tmp_path)
    assert found.path == files[1]
    assert found.requirement == f"engine==1.2 --hash=sha256:{sha256_of(files[1])}"
    assert all(file.exists() for file in files)


def test_the_place_that_a_wheel_takes_counts_compiled_modules(tmp_path: Path) -> None:
    """Modules are there twice, other files once."""
    path = wheel(tmp_path, "py3-none-any")
    (found,) = collect([Pin("engine", "1.2", (sha256_of(path),))], TARGET, tmp_path)
    assert found.installed_bytes == 2 * len("x = 1\n") + len("py3-none-any")


def test_a_file_with_another_digest_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted download is removed, and the package is fetched again; here no index is asked."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    path = wheel(tmp_path, "py3-none-any")
    with pytest.raises(BundleError, match=r"pip could not download wheels for Python 3\.12"):
        collect([Pin("engine", "1.2", ("0" * 64,))], TARGET, tmp_path)
    assert not path.exists()


def test_a_downloaded_file_is_compared_with_the_lock(tmp_path: Path) -> None:
    """The download refuses what an index serves under another digest, and nothing of it stays."""
    with pytest.raises(BundleError, match="could not download") as failed:
        download([Pin("annotated-types", "0.7.0", ("0" * 64,))], TARGET, tmp_path)
    if "DO NOT MATCH THE HASHES" not in str(failed.value):
        missing(f"no package index answers: {failed.value}")
    assert list(tmp_path.glob("*.whl")) == []


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    """Two people who build one commit can compare digests."""
    archives = []
    for name in ("one", "other"):
        folder = tmp_path / name / "kascribe"
        (folder / "wheels").mkdir(parents=True)
        for file in ("wheels/b.whl", "a.txt") if name == "one" else ("a.txt", "wheels/b.whl"):
            (folder / file).write_text(file)
        (folder / "install.sh").write_text("#!/bin/sh\n")
        (folder / "install.sh").chmod(0o775 if name == "one" else 0o755)
        write_sums(folder)
        archives.append(pack(folder, tmp_path / name / "kascribe.tar", 1_000_000_000))
    assert archives[0] == archives[1]


def test_sums_and_archive_are_read_by_the_tools_of_every_system(tmp_path: Path) -> None:
    """The tool sha256sum accepts both files of sums, and tar unpacks what was packed, with its modes."""
    folder = tmp_path / "kascribe"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "guide.md").write_text("안내\n", encoding="utf-8")
    (folder / "install.sh").write_text("#!/bin/sh\n")
    (folder / "install.sh").chmod(0o700)
    write_sums(folder)
    assert [line[66:] for line in (folder / SUMS).read_text().splitlines()] == ["docs/guide.md", "install.sh"]
    pack(folder, tmp_path / "kascribe.tar", 0)
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    for command, directory in (
        (["sha256sum", "--check", "--strict", "kascribe.tar.sha256"], tmp_path),
        (["tar", "--extract", "--file", "../kascribe.tar"], unpacked),
        (["sha256sum", "--check", "--strict", SUMS], unpacked / "kascribe"),
        (["./install.sh"], unpacked / "kascribe"),
    ):
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_command_says_what_it_builds_within_80_columns() -> None:
    """Every option is explained; a wrong role names those that there are."""
    command = [sys.executable, "-m", "deploy.bundle"]
    environment = {"COLUMNS": "80", "PATH": "/usr/bin:/bin"}
    shown = subprocess.run(
        [*command, "--help"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert max(map(len, shown.splitlines())) <= 80
    wrong = subprocess.run(
        [*command, "--role", "cook"], env=environment, capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, "choose from 'all', 'transcriber'" in wrong.stderr) == (2, True), wrong.stderr
