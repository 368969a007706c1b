"""What the guides say of the units: what is installed by hand, how commands get the settings, and ports."""

import os
import re
import shutil
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from schemas.roles import Role
from schemas.settings import ReconcilerSettings, ServerSettings
from tests.support.listening import missing

ROOT: Final = Path(__file__).parents[3]
UNITS: Final = ROOT / "deploy" / "systemd"
GUIDES: Final = ("systemd.md", "offline.md", "offline.ko.md")
ROLES_UNIT: Final = (UNITS / "kascribe@.service").read_text(encoding="utf-8")
RECONCILER_UNIT: Final = (UNITS / "kascribe-reconciler.service").read_text(encoding="utf-8")

STAND_IN: Final = '#!/bin/sh\nprintf "%s\\n" "$@"\n'
"""Prints its arguments, a line each."""


def function(guide: str) -> str:
    """Return the shell function of a guide that runs commands with the units' settings."""
    text = (ROOT / "docs" / guide).read_text(encoding="utf-8")
    (found,) = re.findall(r"^# (kascribe\(\) \{.*?\n?.*?; \})$", text, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.mark.parametrize("guide", GUIDES)
def test_a_command_runs_as_the_units_run_roles(guide: str, tmp_path: Path) -> None:
    """Each property of the function is one of the roles' unit, and systemd accepts them; arguments stay whole."""
    if shutil.which("systemd-analyze") is None:
        missing("no systemd-analyze on PATH")
    (tmp_path / "systemd-run").write_text(STAND_IN)
    (tmp_path / "systemd-run").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    script = f'{function(guide)}\nkascribe keys add "a b"'
    ran = subprocess.run(["bash", "-euc", script], env={"PATH": path}, capture_output=True, text=True, check=True)
    arguments = ran.stdout.splitlines()
    program = arguments.index("/opt/kascribe/venv/bin/kascribe")
    assert arguments[program + 1 :] == ["keys", "add", "a b"]
    options = arguments[:program]
    properties = [value for name, value in pairwise(options) if name == "-p"]
    assert [option for option in options if option != "-p" and option not in properties] == [
        "--quiet",
        "--pipe",
        "--wait",
    ]
    assert {each.split("=")[0] for each in properties} == {
        "User",
        "EnvironmentFile",
        "Environment",
        "WorkingDirectory",
    }
    assert set(properties) <= set(ROLES_UNIT.splitlines())
    unit = tmp_path / "command.service"
    unit.write_text("\n".join(["[Service]", "ExecStart=/bin/true", *properties, ""]))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guides_check_the_settings_that_the_roles_get(guide: str) -> None:
    """``kascribe doctor`` follows the function, which gives it the settings."""
    text = (ROOT / "docs" / guide).read_text(encoding="utf-8")
    assert text.index(function(guide)) < text.index("# kascribe doctor transcriber")


def test_what_is_installed_by_hand_runs_every_role() -> None:
    """With cuBLAS from its lock, PostgreSQL for the archive, and traces; each is an extra of ours."""
    text = (ROOT / "docs" / "systemd.md").read_text(encoding="utf-8").replace("\\\n", "")
    installed = re.search(r"uv pip install .*-c requirements-cuda\.lock\s+'\.\[([a-z,]+)\]'", text)
    assert installed is not None
    extras = set(installed[1].split(","))
    assert {*(str(role) for role in Role), "cuda", "postgresql", "tracing"} == extras
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extras <= set(project["optional-dependencies"])


def test_the_reconciler_runs_beside_a_role() -> None:
    """On another port; settings files win over ``Environment`` in systemd, so that it can be changed."""
    port = re.search(r"^Environment=KASCRIBE_SERVER_PORT=(\d+)$", RECONCILER_UNIT, re.MULTILINE)
    assert port is not None
    assert int(port[1]) != ServerSettings().port


def test_the_reconcilers_interval_is_its_setting() -> None:
    """No option in the unit wins over KASCRIBE_RECONCILER_INTERVAL_SECONDS; by default it is what README says."""
    assert re.search(r"^ExecStart=\S+/kascribe reconcile$", RECONCILER_UNIT, re.MULTILINE)
    assert ReconcilerSettings().interval_seconds == 600


@pytest.mark.parametrize("unit", [ROLES_UNIT, RECONCILER_UNIT])
def test_the_group_may_read_log_files_alone(unit: str) -> None:
    """The mask leaves a file of 0640 as it is; the folder of data is the account's alone."""
    assert {"UMask=0027", "StateDirectoryMode=0700"} <= set(unit.splitlines())
