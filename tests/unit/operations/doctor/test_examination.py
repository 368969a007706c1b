"""Checks side by side: order, time limits, and what a failure takes with it."""

import threading
from collections.abc import Iterator

import pytest

from kascribe.operations.doctor.examination import CORRECT, examine
from kascribe.operations.doctor.findings import Check, Diagnosis, Finding, State, failed, ok
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError, DependencyDown

REMEDY = "restart it"


def passing() -> Iterator[Finding]:
    """Find nothing wrong."""
    yield ok("a", "well")


def failing() -> Iterator[Finding]:
    """Find something wrong."""
    yield failed("a", "ill", "cure it")


def by_name(*checks: Check) -> dict[str, Diagnosis]:
    """Examine, and return the diagnoses by the names of their checks."""
    return {each.check.name: each for each in examine(checks, clock=SystemClock())}


def test_a_check_that_hangs_is_given_up_and_the_others_are_complete() -> None:
    """Its rows so far stay, with one more that says so; what waits for it is skipped."""
    hung = threading.Event()

    def hanging() -> Iterator[Finding]:
        yield ok("first", "well")
        hung.wait()
        yield ok("never", "well")

    found = by_name(
        Check("frozen", "S3", hanging, REMEDY, limit_seconds=0.2),
        Check("after", "S3", passing, REMEDY, ("frozen",)),
        Check("other", "Kafka", passing, REMEDY),
    )
    hung.set()
    assert not found["frozen"].ended
    assert found["frozen"].findings == (ok("first", "well"), failed("frozen", "no answer within 0.2 s", REMEDY))
    assert [each.state for each in found["after"].findings] == [State.SKIPPED]
    assert found["other"].findings == (ok("a", "well"),)


def test_checks_run_at_the_same_time() -> None:
    """Two that wait for each other both end."""
    both = threading.Barrier(2)

    def meeting() -> Iterator[Finding]:
        both.wait(10)
        yield ok("met", "well")

    found = by_name(Check("one", "S3", meeting, REMEDY), Check("two", "S3", meeting, REMEDY))
    assert all(each.ended and not each.has_failed for each in found.values())


def test_what_waits_for_a_failed_check_is_skipped_all_the_way_down() -> None:
    """Also what waits for one that was skipped itself."""
    found = by_name(
        Check("last", "Kafka", passing, REMEDY, ("middle",)),
        Check("middle", "Kafka", passing, REMEDY, ("first",)),
        Check("first", "Kafka", failing, REMEDY),
    )
    assert {name: [each.state for each in one.findings] for name, one in found.items()} == {
        "first": [State.FAILED],
        "middle": [State.SKIPPED],
        "last": [State.SKIPPED],
    }
    assert found["middle"].findings[0].found == "not checked, since first failed"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DependencyDown("s3", "no object store answers"), "no object store answers"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ZeroDivisionError("division by zero"), "the check itself failed: ZeroDivisionError: division by zero"),
        (ModuleNotFoundError("No module named 'av'", name="av"), "the package av is not installed"),
    ],
)
def test_an_error_becomes_a_row_of_its_check_alone(error: Exception, sentence: str) -> None:
    """Whatever is raised, the rows before it stay and other checks go on."""

    def raising() -> Iterator[Finding]:
        yield ok("before", "well")
        raise error

    found = by_name(Check("broken", "S3", raising, REMEDY), Check("other", "S3", passing, REMEDY))
    before, after = found["broken"].findings
    assert before.state is State.OK
    assert after.state is State.FAILED
    assert sentence in after.found
    assert after.remedy
    assert not found["other"].has_failed


def test_settings_that_are_wrong_are_not_blamed_on_the_server() -> None:
    """The remedy of a check is for a server that does not answer."""

    def refusing() -> Iterator[Finding]:
        yield from ()
        raise ConfigurationError("KASCRIBE_X is wrong")

    (found,) = by_name(Check("broken", "S3", refusing, REMEDY))["broken"].findings
    assert (found.state, found.found, found.remedy) == (State.FAILED, "KASCRIBE_X is wrong", CORRECT)
