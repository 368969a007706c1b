"""Which planted faults are run, and how they are reported."""

from pathlib import Path
from typing import Final

import pytest

from tests.mutants import __main__ as command
from tests.mutants import report
from tests.mutants.report import Change, change_in, page
from tests.mutants.sampling import Mutant, sampled

MUTANTS: Final = [Mutant(module, f"{module}.x__mutmut_{n}", 1) for module in ("a.py", "b.py") for n in range(9)]


def test_a_sample_is_the_same_each_time_and_whatever_else_there_is() -> None:
    """It depends on the names alone, and a larger one holds a smaller one."""
    three = sampled(MUTANTS, 3)
    assert [mutant.module for mutant in three] == ["a.py"] * 3 + ["b.py"] * 3
    assert sampled(reversed(MUTANTS), 3) == three
    assert set(three) < set(sampled(MUTANTS, 5))
    assert set(sampled(MUTANTS, None)) == set(MUTANTS)


@pytest.mark.parametrize(
    ("exit_code", "noticed"),
    [(1, True), (3, True), (36, True), (-24, True), (0, False), (5, False), (33, False), (None, False)],
)
def test_a_fault_is_noticed_by_a_test_that_fails_or_never_ends(exit_code: int | None, noticed: bool) -> None:
    """A fault that no test reaches is not noticed, and neither is one that has not run."""
    assert Mutant("a.py", "a.x", exit_code).noticed is noticed


def test_the_page_counts_by_module_and_lists_what_nothing_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason that people gave, or that there is none yet."""
    reasons = tmp_path / "reasons.toml"
    reasons.write_text('[[reason]]\nwas = "n += 1"\nbecame = "n -= 1"\nwhy = "equivalent"\n', encoding="utf-8")
    monkeypatch.setattr(report.known_reasons, "__defaults__", (reasons,))
    changes = {"a.1": Change("n += 1", "n -= 1"), "b.1": Change("x or y", "x and y")}
    ran = [Mutant("a.py", "a.0", 1), Mutant("a.py", "a.1", 0), Mutant("b.py", "b.1", 33)]
    written = page(ran, rule="All ran.", change_of=changes.__getitem__)
    assert "| `a.py` | 2 | 1 | 50% |" in written
    assert "| all | 3 | 1 | 33% |" in written
    assert "| `a.py` | `n += 1` | `n -= 1` | equivalent |" in written
    assert "| `b.py` | `x or y` | `x and y` | **no test yet** |" in written


def test_a_change_of_letters_in_a_message_is_distinguished_from_one_of_meaning() -> None:
    """The tests check for what a message must say, not for each of its letters."""
    diff = '--- a.py\n+++ a.py\n@@ -1 +1 @@\n def f():\n-    raise E("not here")\n+    raise E("XXnot hereXX")\n'
    assert change_in(diff) == Change('raise E("not here")', 'raise E("XXnot hereXX")')
    assert change_in(diff).is_wording
    assert not Change('d["key"]', 'd["KEY"]').is_wording
    assert not Change('d = {"a": f"{b} c", "key": x}', 'd = {"a": f"{b} c", "KEY": x}').is_wording
    assert not Change("x == 1", "x != 1").is_wording


def test_a_run_that_fails_leaves_the_page_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of the faults that happened to run would say too much, or nothing at all."""
    mutmut = tmp_path / "mutmut"
    mutmut.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    mutmut.chmod(0o755)
    page_before = tmp_path / "mutants.md"
    page_before.write_text("as before", encoding="utf-8")
    monkeypatch.setattr(command, "MUTMUT", mutmut)
    monkeypatch.setattr(command, "PAGE", page_before)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="mutmut ended with 3"):
        command.main(["--per-module", "6"])
    assert page_before.read_text(encoding="utf-8") == "as before"
