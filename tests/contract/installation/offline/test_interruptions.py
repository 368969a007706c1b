"""An installation that ends while it moves its links leaves the release in use, and every earlier one."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.contract.installation.namespaces import without_network
from tests.contract.installation.offline.small_bundle import SmallBundle, small_bundle

TERMINATED: Final = 143

_MOVE: Final = """#!/bin/sh
# Moves, and ends the installer with SIGTERM directly after it has moved one of its links.
/bin/mv "$@" || exit
[ "$1" != -T ] || case $3 in */{name}) kill -TERM $PPID ;; esac
"""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallBundle, SmallBundle, SmallBundle]:
    """Write three releases."""
    directory = tmp_path_factory.mktemp("bundles")
    return (
        small_bundle(directory),
        small_bundle(directory, "second"),
        small_bundle(directory, "third"),
    )


def run(
    bundle: SmallBundle, prefix: Path, *options: str, ended_after: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the installer; ``ended_after`` names the link after whose move it gets SIGTERM."""
    before = ""
    if ended_after:
        programs = prefix.parent / f"programs-{ended_after}"
        programs.mkdir(exist_ok=True)
        (programs / "mv").write_text(_MOVE.format(name=ended_after))
        (programs / "mv").chmod(0o755)
        before = f"export PATH={programs}:$PATH"
    where = ["--prefix", str(prefix), "--no-systemd", "--no-selftest"]
    python = [] if "--rollback" in options else ["--python", sys.executable]
    return without_network([bundle.installer, *where, *python, *options], before=before)


def state(prefix: Path) -> tuple[str, dict[str, str], set[str]]:
    """Return what the program prints, where the installer's links lead, and which releases there are."""
    printed = subprocess.run([prefix / "venv/bin/kascribe"], capture_output=True, text=True, check=True).stdout
    links = {path.name: str(path.readlink()) for path in prefix.iterdir() if path.is_symlink()}
    return printed, links, {path.name for path in (prefix / "releases").iterdir()}


def test_an_upgrade_that_is_ended_between_two_links_changes_nothing(
    bundles: tuple[SmallBundle, SmallBundle, SmallBundle], tmp_path: Path
) -> None:
    """SIGTERM after any of them, the last one included: what was in use and what was before it stay."""
    first, second, third = bundles
    prefix = tmp_path / "kascribe"
    assert run(first, prefix).returncode == 0
    before = state(prefix)
    assert run(second, prefix, ended_after="current").returncode == TERMINATED
    assert state(prefix) == before
    assert run(second, prefix).returncode == 0
    before = state(prefix)
    assert (before[0], before[2]) == ("second\n", {first.name, second.name})
    for link in ("README.md", "current"):
        ended = run(third, prefix, ended_after=link)
        assert ended.returncode == TERMINATED, ended.stderr
        assert f"The installation was undone: {second.name} is still in use." in ended.stderr
        assert state(prefix) == before, link
    assert run(second, prefix, "--rollback", ended_after="previous").returncode == TERMINATED
    assert state(prefix) == before
    assert run(third, prefix).returncode == 0
    assert state(prefix)[0] == "third\n"


def test_a_first_installation_that_is_ended_between_two_links_leaves_nothing(
    bundles: tuple[SmallBundle, SmallBundle, SmallBundle], tmp_path: Path
) -> None:
    """Its links go with its release."""
    for link in ("docs", "current"):
        ended = run(bundles[0], tmp_path / "kascribe", ended_after=link)
        assert ended.returncode == TERMINATED, ended.stderr
        assert not (tmp_path / "kascribe").exists(), link


def test_a_folder_in_the_place_of_a_link_is_named_and_every_release_stays(
    bundles: tuple[SmallBundle, SmallBundle, SmallBundle], tmp_path: Path
) -> None:
    """Somebody put it there; the installer neither replaces it nor gives up what works."""
    first, second, _ = bundles
    prefix = tmp_path / "kascribe"
    assert run(first, prefix).returncode == 0
    (prefix / "README.md").unlink()
    (prefix / "README.md").mkdir()
    before = state(prefix)
    failed = run(second, prefix)
    assert failed.returncode == 1
    assert f"error: {prefix}/README.md cannot be made a link: move away what is there" in failed.stderr
    assert f"The installation was undone: {first.name} is still in use." in failed.stderr
    assert state(prefix) == before


def test_releases_that_a_first_installation_did_not_make_stay(
    bundles: tuple[SmallBundle, SmallBundle, SmallBundle], tmp_path: Path
) -> None:
    """Where the link to the release in use was lost, a failure must not remove the releases as well."""
    first, second, _ = bundles
    prefix = tmp_path / "kascribe"
    assert run(first, prefix).returncode == 0
    (prefix / "current").unlink()
    assert run(second, prefix, ended_after="docs").returncode == TERMINATED
    assert [path.name for path in (prefix / "releases").iterdir()] == [first.name]
    assert run(first, prefix).returncode == 0
    assert state(prefix)[0] == "first\n"
