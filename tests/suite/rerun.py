"""Run pytest, then run the tests that failed once more, alone.

Some tests depend on timing, and fail where the machine is busy with other work. Many failures at once have another
cause, so none of them is run again.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

LIMIT_TESTS: Final = 10
_FAILED: Final = Path(".pytest_cache/v/cache/lastfailed")


def run(arguments: Sequence[str], directory: Path) -> int:
    """Run pytest with `arguments` in `directory`, the root of a project, and return the exit status.

    It is 0 if all tests passed, some of them perhaps only when alone. The tests that failed are listed at the end.
    """
    status = _pytest(["--cache-clear", *arguments], directory)
    if status != pytest.ExitCode.TESTS_FAILED:
        return status
    failed = _failed_tests(directory)
    if len(failed) > LIMIT_TESTS:
        print(f"\n{len(failed)} tests failed, more than the {LIMIT_TESTS} that are run again.", flush=True)
        return status
    _list("Failed beside others, run again alone:", failed)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        status = _pytest(["--last-failed", "--last-failed-no-failures", "none", f"--junitxml={report}"], directory)
        passed = _passed_tests(report, failed)
    again = [test for test in failed if test in _failed_tests(directory)]
    skipped = [test for test in failed if test not in passed and test not in again]
    _list("Failed beside others, passed alone:", passed)
    _list("Failed beside others, failed alone:", again)
    _list("Failed beside others, not run to the end alone:", skipped)
    return pytest.ExitCode.TESTS_FAILED if status == pytest.ExitCode.OK and skipped else status


def _pytest(arguments: Sequence[str], directory: Path) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=directory, check=False).returncode


def _failed_tests(directory: Path) -> list[str]:
    """Return the tests that pytest remembers as failed, from its cache."""
    path = directory / _FAILED
    return sorted(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


def _passed_tests(report: Path, tests: Sequence[str]) -> list[str]:
    """Return those of the tests that passed, by a report of pytest in JUnit's format."""
    if not report.exists():
        return []
    cases = ET.parse(report).getroot().iter("testcase")
    bad = {"failure", "error", "skipped"}
    passed = {(case.get("classname"), case.get("name")) for case in cases if not any(e.tag in bad for e in case)}
    return [test for test in tests if _reported_name(test) in passed]


def _reported_name(test: str) -> tuple[str, str]:
    """Return a test's class name and name in JUnit's format."""
    path, bracket, parameters = test.partition("[")
    module, *names = path.split("::")
    *classes, name = [module.removesuffix(".py").replace("/", "."), *names]
    return ".".join(classes), f"{name}{bracket}{parameters}"


def _list(heading: str, tests: Sequence[str]) -> None:
    if tests:
        print(f"\n{heading}", *tests, sep="\n  ", flush=True)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], Path.cwd()))
