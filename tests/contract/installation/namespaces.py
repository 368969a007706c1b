"""Commands in Linux namespaces of their own: without a network, with small file systems, with another /etc."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.listening import missing

COMMAND_SECONDS: Final = 200
_NAMESPACES: Final = ("unshare", "--map-root-user", "--net", "--mount")


def without_network(
    command: Sequence[str | Path], *, before: str = "", timeout_seconds: float = COMMAND_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a command where loopback is the only interface, after a shell script that may mount file systems.

    The command believes to be root; it has the rights of this user. Skips the test where that is not possible.
    """
    return subprocess.run(
        offline_command(command, before=before),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds,
    )


def offline_command(command: Sequence[str | Path], *, before: str = "") -> list[str]:
    """Return the command that runs another one without a network."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        missing("unshare (util-linux) or ip (iproute2) is not installed")
    if subprocess.run([*_NAMESPACES, "true"], capture_output=True, check=False).returncode:
        missing("this user may not make namespaces")
    script = f'set -e; ip link set lo up; {before}\nexec "$@"'
    return [*_NAMESPACES, "sh", "-c", script, "sh", *map(str, command)]


def on_a_fresh_system(script: str, scratch: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script as the real root, with an empty /opt, an /etc of its own and no network.

    What it changes there goes with it; ``scratch`` is an empty directory. Skips the test for other users.
    """
    if os.geteuid() != 0:
        missing("only root can make accounts and units")
    mounts = (
        f"mount -t tmpfs tmpfs {scratch}; cp -a /etc/. {scratch}; mount --bind {scratch} /etc; "
        "mount -t tmpfs tmpfs /opt; ip link set lo up"
    )
    return subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-ec", f"{mounts}\n{script}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
