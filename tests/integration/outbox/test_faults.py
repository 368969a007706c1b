"""A slice of ``make chaos``, and its checker on histories that are written by hand."""

from pathlib import Path

from tests.chaos.delivery.__main__ import Round, run
from tests.chaos.delivery.checker import Findings, check
from tests.integration.stack import PrivateStack


def test_faults_lose_and_double_nothing(stack: PrivateStack, tmp_path: Path) -> None:
    """Three workers, a broker, and faults that follow from the seed: a kill and a broker that is killed."""
    one = Round(seed=53, faults=2, delivery="exactly_once", protocol="classic")
    result = run(stack.servers, one, brokers=1, log=tmp_path / "log", end_seconds=90)
    assert result.findings == Findings()
    assert (result.faults, result.records) == ({"kill": 1, "broker": 1}, 80)


def test_every_kind_of_finding_is_found() -> None:
    """What is missing, what came twice, what nothing published, what was given up, and a commit that went back."""
    findings = check(
        published=["a", "b", "c", "d"],
        read=["a", "b", "b", "failed: internal_error"],
        dead=["d"],
        commits=[("in", 0, 1), ("in", 1, 7), ("in", 0, 3), ("in", 0, 2), ("in", 1, 7)],
    )
    assert findings == Findings(
        lost=("c",),
        doubled=("b",),
        strangers=("failed: internal_error",),
        dead=("d",),
        went_back=(("in", 0, 3, 2),),
    )
    assert findings.are_bad(may_double=True)
    assert Findings(doubled=("b",)).are_bad(may_double=False)
    assert not Findings(doubled=("b",)).are_bad(may_double=True)


def test_a_good_history_has_no_findings() -> None:
    """Whatever the order; a commit may stay where it is."""
    commits = [("in", 0, 1), ("in", 0, 1), ("in", 0, 2)]
    findings = check(published=["a", "b"], read=["b", "a"], dead=[], commits=commits)
    assert findings == Findings()
    assert not findings.are_bad(may_double=False)
