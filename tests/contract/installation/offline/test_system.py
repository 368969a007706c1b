"""The installer as root: account, units and settings, on a system that has none of them."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.contract.installation.namespaces import on_a_fresh_system
from tests.contract.installation.offline.small_bundle import PYTHON, SmallBundle, small_bundle
from tests.support.listening import missing

SYSTEM_PYTHON: Final = Path(f"/usr/bin/python{PYTHON}")
"""An interpreter that every account may run."""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallBundle, SmallBundle]:
    """Write two bundles, the first with a model."""
    if not SYSTEM_PYTHON.exists() or shutil.which("systemd-sysusers") is None:
        missing(f"{SYSTEM_PYTHON} or systemd-sysusers is not installed")
    directory = tmp_path_factory.mktemp("bundles")
    return small_bundle(directory, model="small"), small_bundle(directory, "second")


def run(script: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a script on a fresh system; ``$PYTHON`` is the system's."""
    scratch = tmp_path / "etc"
    scratch.mkdir()
    return on_a_fresh_system(f"PYTHON={SYSTEM_PYTHON}\n{script}", scratch)


def test_units_account_and_settings_are_installed_kept_and_removed(
    bundles: tuple[SmallBundle, SmallBundle], tmp_path: Path
) -> None:
    """Settings are written once; an upgrade brings the new example, and removal leaves settings and account."""
    first, second = bundles
    done = run(
        f"""
        umask 077 # of a careful root; the account must still be able to run what is installed
        {first.installer} --python $PYTHON
        stat -c '%n %U:%G %a' /etc/kascribe /etc/kascribe/kascribe.env /etc/systemd/system/kascribe@.service
        runuser -u kascribe -- /opt/kascribe/venv/bin/kascribe
        runuser -u kascribe -- cat /opt/kascribe/models/small/model.bin; echo
        systemd-analyze verify --man=no kascribe@gateway.service kascribe-reconciler.service
        head -n 4 /etc/kascribe/kascribe.env
        echo KASCRIBE_S3_BUCKET=mine >> /etc/kascribe/kascribe.env
        echo old > /etc/kascribe/kascribe.env.example
        mkdir /etc/systemd/system/multi-user.target.wants || true
        ln -s ../kascribe@.service /etc/systemd/system/multi-user.target.wants/kascribe@gateway.service
        {second.installer} --python $PYTHON
        tail -n 1 /etc/kascribe/kascribe.env
        grep -c . /etc/kascribe/kascribe.env.example
        runuser -u kascribe -- /opt/kascribe/venv/bin/kascribe
        /opt/kascribe/current/install.sh --rollback
        runuser -u kascribe -- /opt/kascribe/venv/bin/kascribe
        /opt/kascribe/current/install.sh --uninstall
        find /opt /etc/systemd/system /etc/sysusers.d /etc/kascribe -name '*kascribe*' | sort
        id -un kascribe
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    lines = iter(done.stdout.splitlines())
    for expected in (
        r"Settings: /etc/kascribe/kascribe\.env .*",
        r"/etc/kascribe root:kascribe 750",
        r"/etc/kascribe/kascribe\.env root:kascribe 640",
        r"/etc/systemd/system/kascribe@\.service root:root 644",
        r"first",
        r"first",
        r"KASCRIBE_WHISPER_MODELS_DIRECTORY=/opt/kascribe/models",
        r"HF_HUB_OFFLINE=1",
        r"KASCRIBE_WHISPER_MODEL=small",
        r"KASCRIBE_S3_BUCKET=mine",
        r"\d{3,}",
        r"second",
        r".*-\w{8} is in use again; .*",
        r"first",
        r"Kascribe is removed from /opt/kascribe\. .*",
        r"/etc/kascribe",
        r"/etc/kascribe/kascribe\.env",
        r"kascribe",
    ):
        assert any(re.fullmatch(expected, line) for line in lines), (expected, done.stdout, done.stderr)
    assert list(lines) == []


def test_units_lead_to_another_prefix(bundles: tuple[SmallBundle, SmallBundle], tmp_path: Path) -> None:
    """No unit names /opt/kascribe when Kascribe is elsewhere, and systemd accepts them."""
    done = run(
        f"""
        {bundles[0].installer} --python $PYTHON --prefix /opt/speech/kascribe
        systemd-analyze verify --man=no kascribe@gateway.service kascribe-reconciler.service
        grep -h ^ExecStart /etc/systemd/system/kascribe*.service
        ! grep -l /opt/kascribe /etc/systemd/system/kascribe*.service
        grep MODELS_DIRECTORY= /etc/kascribe/kascribe.env
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ExecStart=/opt/speech/kascribe/venv/bin/kascribe") == 2
    assert "KASCRIBE_WHISPER_MODELS_DIRECTORY=/opt/speech/kascribe/models" in done.stdout


def test_a_python_that_the_account_cannot_run_is_refused_and_undone(
    bundles: tuple[SmallBundle, SmallBundle], tmp_path: Path
) -> None:
    """Root's own Python works for root alone: the message says so, and neither unit nor settings stay."""
    done = run(
        f"""
        mkdir --mode 700 /opt/mine && cp $PYTHON /opt/mine/
        {bundles[0].installer} --python /opt/mine/{SYSTEM_PYTHON.name} || echo status $?
        find /opt /etc/systemd/system /etc/sysusers.d /etc/kascribe -name '*kascribe*'
        """,
        tmp_path,
    )
    assert "error: the account kascribe cannot run" in done.stderr
    assert "/opt/mine/" in done.stderr
    assert done.stdout.splitlines()[-1] == "status 1", done.stdout + done.stderr


def test_an_upgrade_that_fails_at_its_links_leaves_the_units_of_the_release_in_use(
    bundles: tuple[SmallBundle, SmallBundle], tmp_path: Path
) -> None:
    """They were replaced before; the roles find release, units and settings as they were."""
    first, second = bundles
    done = run(
        f"""
        {first.installer} --python $PYTHON
        echo '# of the first' >> /opt/kascribe/current/systemd/kascribe@.service
        rm /opt/kascribe/README.md && mkdir /opt/kascribe/README.md
        {second.installer} --python $PYTHON || echo status $?
        runuser -u kascribe -- /opt/kascribe/venv/bin/kascribe
        tail -n 1 /etc/systemd/system/kascribe@.service
        ls /opt/kascribe/releases /etc/kascribe/kascribe.env /etc/systemd/system/kascribe-reconciler.service
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"The installation was undone: {first.name} is still in use." in done.stderr
    assert done.stdout.splitlines()[-8:] == [
        "status 1",
        "first",
        "# of the first",
        "/etc/kascribe/kascribe.env",
        "/etc/systemd/system/kascribe-reconciler.service",
        "",
        "/opt/kascribe/releases:",
        first.name,
    ]
