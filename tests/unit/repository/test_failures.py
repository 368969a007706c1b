"""The table of failures: the page beside the rows, and the comparison of what was seen with what is expected."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.failures.failure import Expected, Line, Sample
from tests.chaos.failures.page import PAGE, cells
from tests.chaos.failures.rows import ROWS
from tests.chaos.failures.run import Observed, problems
from tests.chaos.failures.scene import Work
from tests.chaos.failures.watch import Signs, is_line

REPOSITORY = Path(__file__).parents[3]
EXPECTED = Expected(
    ready="waiting for s3",
    sample=Sample("kascribe_dependency_down"),
    line=Line("^dependency is down", {"error": "AccessDenied|refused"}),
    work="waits",
)
WORK = Work(submitted=7, completed=7, lost=0, doubled=0, repeated=1, retries=0, letters=0, letter_reasons=())
SIGNS = Signs(not_ready_after=1.0, sample_after=1.0, line_after=1.0, reasons=["waiting for s3"])
SEEN = Observed(
    name="it", signs=SIGNS, work=WORK, lasted_seconds=9.0, ready_again_seconds=1.0, work_done_seconds=2.0
)


def test_the_page_promises_what_the_rows_expect() -> None:
    """`make chaos-failures` wrote it after the last change of a row."""
    page = (REPOSITORY / PAGE).read_text(encoding="utf-8")
    assert [row.name for row in ROWS if cells(row) not in page] == []
    assert len({row.name for row in ROWS}) == len(ROWS) >= 20


def test_a_failure_that_goes_as_expected_has_no_problems() -> None:
    """The same event twice is at-least-once delivery."""
    assert problems(EXPECTED, SEEN) == []
    assert Observed.from_json(SEEN.to_json()) == SEEN


@pytest.mark.parametrize(
    ("signs", "work"),
    [
        ({"not_ready_after": None}, {}),
        ({"sample_after": None}, {}),
        ({"line_after": None}, {}),
        ({"live_reasons": ["the loop has not turned"]}, {}),
        ({"exit_codes": [70]}, {}),
        ({"false_recoveries": 1}, {}),
        ({}, {"lost": 1}),
        ({}, {"doubled": 1}),
        ({}, {"retries": 1}),
        ({}, {"letters": 1}),
    ],
)
def test_whatever_differs_is_a_problem(signs: dict[str, Any], work: dict[str, Any]) -> None:
    """One sentence for each difference."""
    seen = replace(SEEN, signs=replace(SIGNS, **signs), work=replace(WORK, **work))
    assert len(problems(EXPECTED, seen)) == 1


def test_a_process_that_is_not_ready_again_is_a_problem() -> None:
    """However well the rest went."""
    assert problems(EXPECTED, replace(SEEN, ready_again_seconds=None)) == ["not ready again"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"event": "dependency is down, intake pauses", "error": "the store answered 403 AccessDenied"}, True),
        ({"event": "dependency is down, intake pauses", "error": "timed out"}, False),
        ({"event": "the dependency is down", "error": "refused"}, False),
        (["dependency is down"], False),
    ],
)
def test_a_line_is_found_by_its_event_and_its_fields(line: object, expected: bool) -> None:
    """Both are regular expressions; what is no JSON object is none of ours."""
    assert EXPECTED.line is not None
    assert is_line(json.dumps(line), EXPECTED.line) is expected
