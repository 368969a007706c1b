"""How pytest runs while faults are planted: the quickest tests first, and few random examples.

mutmut passes it to pytest with ``-p``. A fault is noticed by the first test that fails, so the order decides how
long a fault takes, and never whether it is noticed.
"""

import json
import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import Phase, settings

# What each of these shows, quicker tests show too; instrumented they take from 6 to 30 seconds.
LEFT_OUT: Final = (
    "test_tens_of_thousands_of_broken_events_raise_nothing_but_job_errors",
    "test_tens_of_thousands_of_broken_notifications_raise_nothing_but_job_errors",
    "test_a_hundred_thousand_strings_never_raise",
    "test_few_slow_records_never_stop_intake",
    "test_records_that_crash_are_set_aside_and_their_neighbours_complete",
)
EXAMPLES: Final = 25
# The same tests run against a double; a real server needs its start in every fork.
REAL_SERVER: Final = re.compile(r"[\[-]real[\]-]")
STATISTICS: Final = Path("mutmut-stats.json")


def pytest_configure() -> None:
    """Give every run the same examples, and do not shrink them after a failure."""
    settings.register_profile(
        "mutants",
        deadline=None,
        database=None,
        derandomize=True,
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
    )
    settings.load_profile("mutants")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow tests, and put first those that were quick last time."""
    left_out = [
        item
        for item in items
        if getattr(item, "originalname", item.name) in LEFT_OUT or REAL_SERVER.search(item.name)
    ]
    seconds = _seconds_last_time()
    items[:] = sorted(
        (item for item in items if item not in left_out), key=lambda item: seconds.get(item.nodeid, 0.0)
    )
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def _seconds_last_time() -> dict[str, float]:
    if not STATISTICS.exists():
        return {}
    durations: dict[str, float] = json.loads(STATISTICS.read_text(encoding="utf-8"))["duration_by_test"]
    return durations
