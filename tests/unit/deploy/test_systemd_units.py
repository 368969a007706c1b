"""The units for systemd, as its own checker reads them."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from schemas.roles import Role
from schemas.settings import RuntimeSettings
from tests.support.listening import missing

UNITS: Final = Path(__file__).parents[3] / "deploy" / "systemd"
PROGRAM: Final = Path("opt/kascribe/venv/bin/kascribe")
LEAVE_SECONDS: Final = 20.0
"""What a role may need after its drain: to commit, and to answer requests that wait."""

EXPOSURE_LIMIT: Final = 2.0
"""systemd's own measure, from 0 to 10: a service without restrictions has 9.6."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a file system with the units installed and a program at its place."""
    if shutil.which("systemd-analyze") is None:
        missing("no systemd-analyze on PATH")
    shutil.copytree(UNITS, tmp_path / "etc/systemd/system")
    (tmp_path / PROGRAM).parent.mkdir(parents=True)
    (tmp_path / PROGRAM).write_text("#!/bin/sh\n")
    (tmp_path / PROGRAM).chmod(0o755)
    return tmp_path


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("unit", [*(f"kascribe@{role}.service" for role in Role), "kascribe-reconciler.service"])
def test_systemd_finds_nothing_wrong_with_a_unit(root: Path, unit: str) -> None:
    """Every directive is known and has a valid value, with the role's own file of them."""
    verified = _analyze("verify", "--man=no", "--recursive-errors=no", f"--root={root}", unit)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", ["kascribe@.service", "kascribe-reconciler.service"])
def test_a_unit_leaves_little_exposed(root: Path, tmp_path: Path, unit: str) -> None:
    """No privileges, a read-only system, no devices, the calls of a service alone."""
    instance = tmp_path / unit.replace("@", "@gateway")
    shutil.copy(root / "etc/systemd/system" / unit, instance)
    measured = _analyze("security", "--offline=true", "--no-pager", str(instance))
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", measured.stdout)
    assert exposure is not None, measured.stderr
    assert float(exposure[1]) <= EXPOSURE_LIMIT


@pytest.mark.parametrize("unit", ["kascribe@.service", "kascribe-reconciler.service"])
def test_a_unit_may_write_the_log_files_that_the_common_settings_name(unit: str) -> None:
    """KASCRIBE_LOG_FILE in kascribe.env is for all of them; where the folder is read-only, none starts."""
    lines = (UNITS / unit).read_text().splitlines()
    assert {"LogsDirectory=kascribe", "LogsDirectoryMode=0750", "UMask=0027"} <= set(lines)


def test_a_role_has_the_time_that_its_drain_takes() -> None:
    """A role is killed only after the drain of the default settings, and what follows it, would have ended."""
    stop = re.search(r"^TimeoutStopSec=(\d+)$", (UNITS / "kascribe@.service").read_text(), re.MULTILINE)
    assert stop is not None
    assert int(stop[1]) >= RuntimeSettings().drain_timeout_seconds + LEAVE_SECONDS


def test_the_unit_of_the_roles_names_all_of_them() -> None:
    """Its comment lists what may stand after the @."""
    comment = (UNITS / "kascribe@.service").read_text().split("[Unit]")[0].replace("\n# ", " ")
    listed = re.search(r"Roles: ([a-z, ]+)\.", comment)
    assert listed is not None
    assert listed[1].split(", ") == [str(role) for role in Role]
