"""What the installer refuses, before it writes anything: the machine, the prefix, the bundle."""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.bundle.pythons import find_python
from tests.contract.installation.namespaces import without_network
from tests.contract.installation.offline.small_bundle import PYTHON, SmallBundle, small_bundle
from tests.support.listening import missing

OLDER = ("3.10", "3.9", "3.8")


@pytest.fixture
def bundle(tmp_path: Path) -> SmallBundle:
    """Write a bundle that the test may damage."""
    return small_bundle(tmp_path)


@pytest.fixture
def refused(bundle: SmallBundle, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Return a function that runs the installer, and returns its status and its error."""

    def run(*options: object, wrapper: tuple[str, ...] = (), before: str = "") -> tuple[int, str]:
        given = [str(option) for option in options]
        where = [] if "--prefix" in given else ["--prefix", str(tmp_path / "kascribe")]
        python = [] if "--python" in given else ["--python", sys.executable]
        command = [*wrapper, str(bundle.installer), "--no-systemd", *where, *python, *given]
        done = without_network(command, before=before)
        assert not (tmp_path / "kascribe" / "current").exists()
        return done.returncode, done.stderr

    return run


def test_another_architecture_is_refused(refused: Callable[..., tuple[int, str]]) -> None:
    """The kernel says that this is a 32-bit machine."""
    if shutil.which("setarch") is None:
        missing("setarch (util-linux) is not installed")
    status, error = refused(wrapper=("setarch", "i686"))
    assert (status, error) == (
        3,
        "error: this bundle is for x86_64, and this machine is i686: build a bundle for it\n",
    )


def test_an_older_python_is_refused_by_its_version(refused: Callable[..., tuple[int, str]]) -> None:
    """RHEL 8 has Python 3.6 as python3; the message names what was found and what to install."""
    older = next((found for version in OLDER if (found := find_python(version))), None)
    if older is None:
        pytest.skip("there is no Python before 3.11 on this machine")
    status, error = refused("--python", older)
    assert status == 3
    assert f"error: this bundle needs Python {PYTHON}; found: {older} (CPython 3." in error
    assert "dnf install python3.11" in error


def test_a_bundle_for_another_python_is_refused(tmp_path: Path) -> None:
    """A bundle of one Python's wheels names the Pythons on PATH that do not suit it."""
    other = "3.12" if PYTHON == "3.11" else "3.11"
    bundle = small_bundle(tmp_path, "other", python=other)
    script = f'PATH={Path(sys.executable).parent}:/usr/bin:/bin exec {bundle.installer} --prefix {tmp_path}/k "$@"'
    refused = without_network(["sh", "-c", script, "sh", "--no-systemd", "--python", sys.executable])
    assert refused.returncode == 3
    assert f"this bundle needs Python {other}; found: {sys.executable} (CPython {PYTHON}, linux-x86_64)" in (
        refused.stderr
    )


def test_a_python_that_does_not_run_is_refused(refused: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """A version switcher has names for versions that it does not run."""
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    status, error = refused("--python", shim)
    assert (status, "found: none that runs. Install one" in error) == (3, True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "README.md").write_text("other"), "README.md: FAILED"),
        (lambda folder: (folder / "docs" / "systemd.md").unlink(), "docs/systemd.md: FAILED open or read"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
        (lambda folder: (folder / "wheels" / "more.whl").touch(), "that is not in SHA256SUMS: wheels/more.whl"),
        (lambda folder: (folder / "models" / "link").symlink_to("/etc"), "not in SHA256SUMS: models/link"),
    ],
    ids=["changed", "lost", "sums lost", "added", "link added"],
)
def test_a_damaged_bundle_is_refused(
    damage: Callable[[Path], object],
    message: str,
    bundle: SmallBundle,
    refused: Callable[..., tuple[int, str]],
) -> None:
    """Each file is compared with its checksum, and no file is there without one."""
    damage(bundle.folder)
    status, error = refused()
    assert (status, message in error) == (4, True), error
    assert "npack" in error


def test_a_wheel_that_was_exchanged_together_with_its_checksum_is_refused(
    bundle: SmallBundle, refused: Callable[..., tuple[int, str]]
) -> None:
    """The installation compares each wheel with the requirements once more."""
    (wheel,) = (bundle.folder / "wheels").glob("kascribe-*.whl")
    wheel.write_bytes(wheel.read_bytes() + b" ")
    sums = "sha256sum $(cut -c67- SHA256SUMS) > new && mv new SHA256SUMS"
    subprocess.run(["sh", "-c", sums], cwd=bundle.folder, check=True)
    status, error = refused()
    assert (status, "THESE PACKAGES DO NOT MATCH THE HASHES" in error) == (1, True), error


def test_a_disk_without_room_is_refused(refused: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """The message says how much is needed and how much there is."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=8m tmpfs {disk}"
    status, error = refused("--prefix", disk / "kascribe", before=mount)
    assert (status, "MiB, and its disk has 8 MiB: free some" in error) == (3, True), error


def test_a_prefix_that_holds_something_else_is_refused(
    refused: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """What the installer did not make it neither uses nor removes."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    status, error = refused("--prefix", tmp_path / "other")
    assert (status, "is not empty and was not made by this installer" in error) == (3, True)
    status, error = refused("--prefix", tmp_path / "other" / "file")
    assert (status, "is not a directory" in error) == (3, True)
    status, error = refused("--prefix", tmp_path / "other", "--uninstall")
    assert (status, "is not installed in" in error) == (3, True)
    assert (tmp_path / "other" / "file").read_text() == "mine"


def test_a_prefix_that_cannot_be_written_is_refused(
    refused: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """A file system that is mounted read-only, also for root."""
    place = tmp_path / "place"
    place.mkdir()
    mount = f"mount -t tmpfs -o ro tmpfs {place}"
    status, error = refused("--prefix", place / "kascribe", before=mount)
    assert (status, "cannot be written by root" in error) == (3, True), error


def test_a_second_installer_is_refused(refused: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """Two at a time would undo each other; the second one leaves what the first one does."""
    prefix = tmp_path / "kascribe"
    prefix.mkdir()
    with (prefix / ".kascribe").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, error = refused()
    assert (status, error) == (1, f"error: another installer works in {prefix}: wait for it\n")
    assert (prefix / ".kascribe").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prefix", "opt/kascribe"], "--prefix must be an absolute path"),
        (["--prefix", "/srv/my kascribe"], "--prefix must be an absolute path"),
        (["--prefix"], "--prefix needs a value"),
        (["--fast"], "there is no option --fast"),
    ],
)
def test_wrong_options_are_refused(
    options: list[str], message: str, refused: Callable[..., tuple[int, str]]
) -> None:
    """Status 2, and the message says what is expected."""
    status, error = refused(*options)
    assert (status, message in error) == (2, True), error


def test_the_check_alone_installs_nothing(bundle: SmallBundle, tmp_path: Path) -> None:
    """An operator may ask first whether machine and bundle suit."""
    options = ["--check", "--no-systemd", "--prefix", str(tmp_path / "kascribe"), "--python", sys.executable]
    checked = without_network([bundle.installer, *options])
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith(f"This machine and this bundle suit: Python {PYTHON}")
    assert not (tmp_path / "kascribe").exists()


def test_the_help_fits_a_terminal_of_80_columns(bundle: SmallBundle) -> None:
    """Every option is in it."""
    shown = subprocess.run([bundle.installer, "--help"], capture_output=True, text=True, check=True).stdout
    assert max(map(len, shown.splitlines())) <= 80
    for option in (
        "--prefix",
        "--python",
        "--check",
        "--rollback",
        "--uninstall",
        "--no-systemd",
        "--no-selftest",
    ):
        assert option in shown


def test_shellcheck_finds_nothing_in_the_installer(bundle: SmallBundle) -> None:
    """It runs as root, so that a forgotten quote would be a danger."""
    if shutil.which("shellcheck") is None:
        missing("shellcheck is not installed")
    checked = subprocess.run(["shellcheck", bundle.installer], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")
