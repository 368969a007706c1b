"""`make test` distributes the tests over workers, and runs those that failed once more, alone."""

from pathlib import Path

import pytest

from tests.suite.rerun import LIMIT_TESTS, run
from tests.suite.workers import SERVERS, scope_of

PASSES_ALONE = """
def test_first(): open("beside", "x").close()

def test_passes_alone(pytestconfig):
    assert pytestconfig.getoption("--last-failed")
"""


@pytest.fixture(autouse=True)
def without_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the pytest of each project without the plugins of this one, which take seconds to import."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def project(directory: Path, tests: str) -> Path:
    """Write a project with one module of tests; return its root."""
    (directory / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (directory / "test_module.py").write_text(tests, encoding="utf-8")
    return directory


def test_a_test_that_passes_alone_is_named_and_does_not_fail_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only the failed test runs again: the other one would fail, as its file exists by then."""
    assert run([], project(tmp_path, PASSES_ALONE)) == 0
    ending = capfd.readouterr().out.split("\n\n")[-1]
    assert ending == "Failed beside others, passed alone:\n  test_module.py::test_passes_alone\n"


def test_a_test_that_fails_again_fails_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The list at the end tells it from the one that passed alone."""
    assert run([], project(tmp_path, PASSES_ALONE + "\ndef test_fails(): assert False\n")) == 1
    assert capfd.readouterr().out.endswith(
        "\n\nFailed beside others, passed alone:\n  test_module.py::test_passes_alone\n"
        "\nFailed beside others, failed alone:\n  test_module.py::test_fails\n"
    )


SKIPS_ALONE = """
import pytest

class TestIt:
    @pytest.mark.parametrize("value", ["a::b", "[c]"])
    def test_passes_alone(self, pytestconfig, value):
        assert pytestconfig.getoption("--last-failed")

    def test_skips_alone(self, pytestconfig):
        if pytestconfig.getoption("--last-failed"):
            pytest.skip()
        assert False
"""


def test_a_test_that_is_skipped_alone_fails_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing showed that it passes."""
    assert run([], project(tmp_path, SKIPS_ALONE)) == 1
    assert capfd.readouterr().out.endswith(
        "\n\nFailed beside others, passed alone:\n  test_module.py::TestIt::test_passes_alone[[c]]\n"
        "  test_module.py::TestIt::test_passes_alone[a::b]\n"
        "\nFailed beside others, not run to the end alone:\n  test_module.py::TestIt::test_skips_alone\n"
    )


@pytest.mark.parametrize("count", [LIMIT_TESTS, LIMIT_TESTS + 1])
def test_many_failures_are_not_run_again(tmp_path: Path, count: int, capfd: pytest.CaptureFixture[str]) -> None:
    """So many have a cause, and it is not the load."""
    many = "".join(
        PASSES_ALONE.partition("\n\n")[2].replace("alone", f"alone_{number}") for number in range(count)
    )
    assert run([], project(tmp_path, many)) == (count > LIMIT_TESTS)
    assert (f"{count} tests failed" in capfd.readouterr().out) == (count > LIMIT_TESTS)


def test_what_failed_in_an_earlier_run_is_forgotten(tmp_path: Path) -> None:
    """Each run judges only its own failures."""
    many = "".join(f"def test_{number}(): assert False\n" for number in range(LIMIT_TESTS))
    assert run([], project(tmp_path, many)) == 1
    (tmp_path / "test_module.py").unlink()
    (tmp_path / "test_other.py").write_text(PASSES_ALONE, encoding="utf-8")
    assert run([], tmp_path) == 0


@pytest.mark.parametrize(
    ("tests", "status"),
    [
        ("def test_passes(): pass", pytest.ExitCode.OK),
        ("import nothing_of_that_name", pytest.ExitCode.INTERRUPTED),
        ("", pytest.ExitCode.NO_TESTS_COLLECTED),
    ],
)
def test_nothing_runs_again_where_no_test_failed(
    tmp_path: Path, tests: str, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """The exit status is pytest's own, so an error outside tests still fails the run."""
    assert run([], project(tmp_path, tests)) == status
    assert capfd.readouterr().out.count("test session starts") == 1


def test_a_file_s_tests_run_together_and_so_do_all_that_need_servers() -> None:
    """Fixtures of a module are made once, and so is each server."""
    one, other = "tests/unit/test_one.py::test_first", "tests/unit/test_other.py::TestIt::test_first"
    assert scope_of(one) == scope_of("tests/unit/test_one.py::test_second[a::b]") != scope_of(other)
    assert len({scope_of(f"{folder}test_any.py::test_first") for folder in SERVERS}) == 1
    assert not [folder for folder in SERVERS if not Path(folder).is_dir()]
