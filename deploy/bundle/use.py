"""What `make bundle-check` runs in a namespace without a network: install, selftest, the README's requests.

    python -m deploy.bundle.use BUNDLE PYTHON WORK

prints each step with its time, and ends with status 1 at the first one that fails.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

STEP_SECONDS: Final = 600.0
"""Limit of one step: the installation took 40 s on a machine with two cores that did other work too."""
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 60.0
NEEDS_LANGUAGE_MODEL: Final = "transcribe-and-process"
"""The README's request that only works with a vLLM server."""


class StepFailed(Exception):
    """A step did not do what it should; the message has its output."""


def main(arguments: Sequence[str]) -> int:
    """Run every step. Returns 0 when all succeed."""
    bundle, python, work = (Path(argument) for argument in arguments)
    prefix = work / "kascribe"
    try:
        _only_loopback()
        options = ["--no-systemd", "--prefix", str(prefix), "--python", str(python)]
        _step("install.sh", [str(bundle / "install.sh"), *options], work)
        kascribe = str(prefix / "venv" / "bin" / "kascribe")
        described = dict(line.split("=", 1) for line in (bundle / "bundle.conf").read_text().splitlines())
        _step(f"kascribe {described['CHECK']}", [kascribe, *described["CHECK"].split()], work)
        if described["ROLE"] == "all":
            _requests(kascribe, bundle / "README.md", prefix, work)
    except StepFailed as error:
        print(f"  FAIL  {error}", flush=True)
        return 1
    return 0


def _only_loopback() -> None:
    """Start loopback and check that it is all there is."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    interfaces = [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    if interfaces != ["lo"] or routes:
        raise StepFailed(f"there is a network: interfaces {interfaces}, routes {routes}")


def _requests(kascribe: str, readme: Path, prefix: Path, work: Path) -> None:
    """Run the README's requests against the gateway of ``kascribe up``."""
    clips = next((prefix / "venv" / "lib").glob("python3*/site-packages/models/selftest/clips"))
    shutil.copyfile(clips / "ko-digits.ogg", work / "audio.wav")
    requests = re.findall(r"^\$ (curl .*)$", readme.read_text(encoding="utf-8"), re.MULTILINE)
    with (work / "up.log").open("w") as log:
        up = subprocess.Popen([kascribe, "up"], cwd=work, env=_environment(work), stdout=log, stderr=log)
    try:
        _wait_for_gateway(work, up)
        for request in requests:
            _request(request, work)
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(STOP_SECONDS)


def _request(request: str, work: Path) -> None:
    """Send one request, and check that its answer is one: without vLLM, a refusal that says so."""
    answer = _step(request, ["sh", "-c", f"{request} --silent --show-error"], work)
    expected = "KASCRIBE_VLLM_BASE_URL" if NEEDS_LANGUAGE_MODEL in request else '"'
    if expected not in answer or ('"success":false' in answer.replace(" ", "")) != (expected != '"'):
        raise StepFailed(f"{request}\n{answer}")


def _wait_for_gateway(work: Path, up: subprocess.Popen[bytes]) -> None:
    started = time.monotonic()
    probe = ["curl", "--silent", "--fail", "--output", "/dev/null", "http://localhost:8001/health"]
    while subprocess.run(probe, check=False).returncode:
        if up.poll() is not None or time.monotonic() - started > START_SECONDS:
            raise StepFailed(f"kascribe up did not start:\n{(work / 'up.log').read_text()}")
        time.sleep(0.2)
    print(f"  {time.monotonic() - started:6.1f} s  kascribe up, until its gateway answers", flush=True)


def _step(what: str, command: Sequence[str], work: Path) -> str:
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=work,
        env=_environment(work),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=STEP_SECONDS,
    )
    if done.returncode:
        raise StepFailed(f"{what} ended with {done.returncode}:\n{done.stdout}")
    print(f"  {time.monotonic() - started:6.1f} s  {what}", flush=True)
    return done.stdout


def _environment(work: Path) -> Mapping[str, str]:
    """Return the environment of a new user, whose home is the working folder."""
    return {"PATH": os.environ["PATH"], "HOME": str(work), "LANG": "C.UTF-8"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
