"""Installation of vLLM for CPU into an environment of its own, in the cache: 5 GB, most of it torch, once.

The environment's name carries the digest of the lock, so another lock gives another environment. It is complete
when its marker exists; an interrupted installation starts again.
"""

import ctypes.util
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.stack.cache import locked, run_tool
from deploy.vllm.errors import VllmUnavailable, as_vllm_unavailable

LOCK: Final = Path(__file__).with_name("requirements.lock")
INSTALL_TIMEOUT_SECONDS: Final = 1800.0  # 25 s measured from a warm cache, two minutes from the registry
_MARKER: Final = "complete"

Report = Callable[[str], None]


def prepare(cache: Path, *, report: Report = print) -> Path:
    """Install vLLM if the cache lacks it; return the Python program of its environment.

    Blocks for minutes the first time. Safe to call from several processes at once. Raises VllmUnavailable.
    """
    _check_machine()
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    home = cache / "vllm"
    place = home / f"venv-{digest}"
    if not (place / _MARKER).is_file():
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / ".install.lock", on_wait=lambda: report("waiting for another installation of vLLM")):
            if not (place / _MARKER).is_file():
                _install(place, report)
    return place / "bin" / "python"


def _check_machine() -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise VllmUnavailable(
            "vLLM for CPU is built for Linux on x86-64; set KASCRIBE_VLLM_BASE_URL to another server"
        )
    if ctypes.util.find_library("numa") is None:
        raise VllmUnavailable(
            "libnuma.so.1 is missing, which vLLM's CPU kernels load (Debian: apt install libnuma1)"
        )


def _install(place: Path, report: Report) -> None:
    report("installing vLLM for CPU (only once: about two minutes, 5 GB on disk)")
    shutil.rmtree(place, ignore_errors=True)
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv:
        _run([uv, "venv", "-q", "--python", sys.executable, str(place)])
        pip = [uv, "pip", "install", "-q", "--python", str(place / "bin" / "python")]
    else:
        _run([sys.executable, "-m", "venv", str(place)])
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q"]
    try:
        _run([*pip, "--no-deps", "--require-hashes", "-r", str(LOCK)])
    except VllmUnavailable:
        shutil.rmtree(place, ignore_errors=True)
        raise
    (place / _MARKER).write_text("installed from requirements.lock\n", encoding="utf-8")


def _run(command: list[str]) -> None:
    with as_vllm_unavailable():
        run_tool(command, {}, INSTALL_TIMEOUT_SECONDS)
