"""The installer installs, upgrades, goes back and removes, and undoes what fails."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.installation.namespaces import offline_command, without_network
from tests.contract.installation.offline.small_bundle import SmallBundle, small_bundle
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> SmallBundle:
    """Write a bundle with a model."""
    return small_bundle(tmp_path_factory.mktemp("first"), model="small")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> SmallBundle:
    """Write a later bundle, without a model."""
    return small_bundle(tmp_path_factory.mktemp("second"), "second")


def run(bundle: SmallBundle, prefix: Path, *options: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a bundle's installer without a network and without systemd."""
    where = ["--prefix", str(prefix), "--no-systemd"]
    python = [] if "--rollback" in options or "--uninstall" in options else ["--python", sys.executable]
    return without_network([bundle.installer, *where, *python, *options], before=before)


def answer(prefix: Path) -> str:
    """Return what the installed program prints."""
    return subprocess.run(
        [prefix / "venv" / "bin" / "kascribe"], capture_output=True, text=True, check=True
    ).stdout


def packages(prefix: Path) -> set[str]:
    """Return the names of the distributions in the environment."""
    return {
        path.name.split("-")[0] for path in (prefix / "venv" / "lib").glob("python*/site-packages/*.dist-info")
    }


def test_an_upgrade_keeps_models_and_can_be_taken_back(
    first: SmallBundle, second: SmallBundle, tmp_path: Path
) -> None:
    """Nothing but the bundle's packages is installed; the earlier release stays until the next upgrade."""
    prefix = tmp_path / "kascribe"
    installed = run(first, prefix)
    assert installed.returncode == 0, installed.stderr
    assert (answer(prefix), packages(prefix)) == ("first\n", {"kascribe"})
    assert (prefix / "models" / "small" / "model.bin").read_text() == "first"
    assert (prefix / "docs" / "systemd.md").is_file()

    upgraded = run(second, prefix)
    assert upgraded.returncode == 0, upgraded.stderr
    assert (answer(prefix), (prefix / "models" / "small" / "model.bin").read_text()) == ("second\n", "first")
    assert {path.name for path in (prefix / "releases").iterdir()} == {first.name, second.name}

    back = run(second, prefix, "--rollback")
    assert back.returncode == 0, back.stderr
    assert f"{first.name} is in use again" in back.stdout
    assert answer(prefix) == "first\n"

    again = run(first, prefix)
    assert again.returncode == 0, again.stderr
    assert f"{first.name} is already in" in again.stdout

    removed = run(second, prefix, "--uninstall")
    assert removed.returncode == 0, removed.stderr
    assert not prefix.exists()


def test_an_upgrade_whose_selftest_fails_leaves_the_release_in_use(first: SmallBundle, tmp_path: Path) -> None:
    """The new release is removed, and the roles keep the one that works."""
    prefix = tmp_path / "kascribe"
    assert run(first, prefix).returncode == 0
    failed = run(small_bundle(tmp_path, "broken", status=3), prefix)
    assert failed.returncode == 1
    assert "error: kascribe selftest failed" in failed.stderr
    assert f"The installation was undone: {first.name} is still in use." in failed.stderr
    assert answer(prefix) == "first\n"
    assert [path.name for path in (prefix / "releases").iterdir()] == [first.name]


def test_a_first_installation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """The folder that the installer made is gone, and one that was there is empty as before."""
    broken = small_bundle(tmp_path, "broken", status=3)
    (tmp_path / "there").mkdir()
    for name in ("new", "there"):
        failed = run(broken, tmp_path / name)
        assert (failed.returncode, "The installation was undone." in failed.stderr) == (1, True), failed.stderr
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize("files", [30, 60], ids=["in pip", "in cp"])
def test_a_disk_that_fills_up_is_named_and_nothing_is_left(files: int, first: SmallBundle, tmp_path: Path) -> None:
    """The file system has room by its own account, and then none: here for want of inodes."""
    prefix = tmp_path / "disk"
    prefix.mkdir()
    listing = 'ls -A "$P" >&2'
    mount = f"export P={prefix}; mount -t tmpfs -o size=1g,nr_inodes={files} tmpfs $P"
    options = ["--no-systemd", "--prefix", str(prefix / "kascribe"), "--python", sys.executable]
    script = f'{first.installer} "$@" || echo "status $?" >&2; {listing}'
    failed = without_network(["sh", "-c", script, "sh", *options], before=mount)
    assert "error: no space is left in" in failed.stderr
    assert failed.stderr.strip().endswith("The installation was undone.\nstatus 1"), failed.stderr


def test_an_interrupted_installation_is_undone(first: SmallBundle, tmp_path: Path) -> None:
    """SIGTERM between two steps ends it as an error does."""
    prefix = tmp_path / "kascribe"
    options = ["--no-systemd", "--prefix", str(prefix), "--python", sys.executable]
    command = offline_command([first.installer, *options])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        eventually(lambda: list(prefix.glob("releases/*")), timeout_seconds=60, what="the installation's start")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (143, "The installation was undone.\n")
    assert not prefix.exists()


def test_a_killed_installation_is_begun_again(first: SmallBundle, tmp_path: Path) -> None:
    """What a killed installer left is not taken for a release."""
    prefix = tmp_path / "kascribe"
    options = ["--no-systemd", "--prefix", str(prefix), "--python", sys.executable]
    with subprocess.Popen(offline_command([first.installer, *options]), start_new_session=True) as process:
        eventually(
            lambda: list(prefix.glob("releases/*/venv")), timeout_seconds=60, what="the installation's start"
        )
        os.killpg(process.pid, signal.SIGKILL)
    assert not (prefix / "current").exists()
    assert run(first, prefix).returncode == 0
    assert answer(prefix) == "first\n"
