"""Runs the benchmark: ``python3 -m tests.gpu.bench`` in the repository, with the packet in ``.gpu``.

Starts with the standard library alone, makes the machine ready, measures in a process of its own, and ends that
process at the time limit, with a table of what was measured by then.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.gpu.bench import machine
from tests.gpu.bench.report import RESULTS, TABLE, Report, markdown

PACKET: Final = machine.ROOT / ".gpu"
LIMIT_SECONDS: Final = 450.0
"""Under eight minutes with the archiving of the compilation cache."""
CLOSING_SECONDS: Final = 20.0
"""Taken from the limit: the process that measures is ended, the table written."""
ENDING_SECONDS: Final = 10.0
"""Before the process is killed: it plans to have ended by then."""
MEASURE: Final = "tests.gpu.bench.measure"
TESTS: Final = "tests/gpu/test_engine_on_gpu.py"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when every row was measured."""
    started = time.monotonic()
    options, others = _parser().parse_known_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in (RESULTS, TABLE):  # an earlier run's would pass for this one's
        (options.out / name).unlink(missing_ok=True)
    work = Path(tempfile.mkdtemp(prefix="kascribe-gpu-"))
    try:
        return _run(options, others, work, started)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    out = os.environ.get("OUT") or "var/bench-gpu"
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.bench", description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=Path(out), help="for results; default: $OUT, or var/bench-gpu")
    parser.add_argument("--packet", type=Path, default=PACKET)
    parser.add_argument("--limit-seconds", type=float, default=LIMIT_SECONDS, help="for the whole run")
    parser.add_argument("--tests", action="store_true", help=f"run {TESTS} instead of measuring")
    parser.epilog = f"All other options go to {MEASURE}; see its --help."
    return parser


def _run(options: argparse.Namespace, others: Sequence[str], work: Path, started: float) -> int:
    site, cache = work / "site", work / "cuda-cache"
    unpacked = [] if machine.is_installed() else machine.unpack(options.packet, site)
    before = machine.restore_cache(options.packet, cache)
    folders = machine.link_cublas(machine.cublas_folders(), work / "cublas")
    prepared = time.monotonic() - started
    print(f"unpacked {len(unpacked)} packages; cuBLAS in {[str(each) for each in folders]}; {prepared:.1f} s")
    left = max(1.0, options.limit_seconds - CLOSING_SECONDS - prepared)
    variables = machine.environment(work, site=site, library_folders=folders, cache=cache)
    if options.tests:  # without the conftest, which needs what every other test needs
        command = [sys.executable, "-m", "pytest", "--noconftest", "-q", TESTS]
        return 0 if supervise(command, variables, timeout_seconds=left) == "ended" else 1
    command = [sys.executable, "-m", MEASURE, f"--out={options.out}", f"--work={work}"]
    command += [f"--seconds={max(1.0, left - ENDING_SECONDS):.0f}"]
    status = supervise([*command, *others], variables, timeout_seconds=left)
    report = Report.load(options.out)
    report.complete("was not reached")
    report.facts["prepared_seconds"] = round(prepared, 1)
    report.facts["compilation_cache_bytes_before"] = before
    report.facts["compilation_cache"] = machine.keep_cache(cache, options.out)
    report.facts["all_seconds"] = round(time.monotonic() - started, 1)
    report.facts["measuring_process"] = status
    report.save(options.out)
    page = markdown(report)
    (options.out / TABLE).write_text(page, encoding="utf-8")
    print(page)
    return 0 if status == "ended" and report.rows and not any(row.problem for row in report.rows) else 1


def supervise(command: Sequence[str], variables: dict[str, str], *, timeout_seconds: float) -> str:
    """Run the process that measures, and return how it ended: "ended" when it succeeded.

    It and its children are killed at the limit, since a call of the engine cannot be interrupted.
    """
    process = subprocess.Popen(command, cwd=machine.ROOT, env=variables, start_new_session=True)
    try:
        code = process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        return f"was ended after {timeout_seconds:.0f} s"
    finally:
        _end_group(process)
    return f"failed with {code}" if code else "ended"


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
