"""What every role serves of its process: build, memory of children, services, and reasons from the start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from consumers.metrics import Instruments, Metrics, new_instruments
from kascribe.metering.catalogue import ROLE_METRICS, all_metrics, roles_of
from kascribe.metering.process import children_of, observe_process, resident_bytes
from schemas.errors import Reason
from schemas.monitoring import BUILD_INFO, PROCESS_METRICS
from tests.support.waiting import eventually
from tests.unit.runtime.runtime_bench import runtime_bench

GRANDCHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"


@pytest.fixture
def instruments() -> Instruments:
    """Return the instruments that every role has."""
    return new_instruments(PROCESS_METRICS)


def test_the_memory_of_children_is_that_of_the_whole_tree_below_a_process(instruments: Instruments) -> None:
    """Decoders are children, and may have children; one that has ended is left out."""
    before = set(children_of(os.getpid()))
    observe_process(instruments, "transcriber", services=())
    value = instruments.registry.get_sample_value
    with subprocess.Popen([sys.executable, "-c", GRANDCHILD], stdin=subprocess.PIPE) as child:
        below = eventually(lambda: _pair(set(children_of(os.getpid())) - before), timeout_seconds=30)
        assert child.pid in below
        assert value("kascribe_child_processes") == len(before) + 2
        assert (value("kascribe_child_resident_memory_bytes") or 0) >= resident_bytes(child.pid) > 1_000_000
        child.communicate(b"\n")
    assert set(children_of(os.getpid())) == before
    assert resident_bytes(child.pid) == 0


def _pair(processes: set[int]) -> set[int] | None:
    return processes if len(processes) == 2 else None


def test_the_kernel_s_own_numbers_are_read(tmp_path: Path) -> None:
    """A process without an entry has no children and no memory."""
    assert list(children_of(1, proc=tmp_path)) == []
    assert resident_bytes(1, proc=tmp_path) == 0


def test_build_info_is_one_series_that_the_loaded_model_replaces(instruments: Instruments) -> None:
    """Before, its labels of the model are empty: two series would count one process twice."""
    build = observe_process(instruments, "transcriber", services=())
    build.set(model="tiny", compute_type="int8", device="cpu")
    (family,) = [family for family in instruments.registry.collect() if family.name == BUILD_INFO.name]
    (sample,) = family.samples
    assert sample.value == 1
    assert set(sample.labels) == set(BUILD_INFO.labels)
    assert (sample.labels["role"], sample.labels["model"], sample.labels["device"]) == (
        "transcriber",
        "tiny",
        "cpu",
    )


def test_a_service_s_series_exists_before_it_was_ever_asked(instruments: Instruments) -> None:
    """An alert on a series that does not exist never fires, and says nothing about it."""
    observe_process(instruments, "enricher", services=("kafka", "vllm"))
    value = instruments.registry.get_sample_value
    assert value("kascribe_dependency_down", {"dependency": "vllm"}) == 0
    assert value("process_resident_memory_bytes") > 0  # type: ignore[operator]


@pytest.mark.parametrize(
    "name", ["kascribe_failures_total", "kascribe_retries_total", "kascribe_dead_letters_total"]
)
def test_every_reason_is_counted_from_the_start(name: str) -> None:
    """The first event of a series that appears with it has no increase."""
    with runtime_bench((0, "")) as bench:
        found = {reason: bench.registry.get_sample_value(name, {"reason": reason.value}) for reason in Reason}
    assert found == dict.fromkeys(Reason, 0.0)


def test_every_role_serves_its_rows_and_each_row_has_a_role() -> None:
    """The catalogue is what the roles register: none twice, none that Prometheus would refuse."""
    assert set(ROLE_METRICS) == {"transcriber", "enricher", "notifier", "archive", "gateway", "reconciler"}
    for rows in ROLE_METRICS.values():
        assert len(set(rows)) == len(rows)
        assert set(PROCESS_METRICS) <= set(rows)
        new_instruments(rows)
    assert all(roles_of(row) for row in all_metrics())
    assert {row.name for row in Metrics(CollectorRegistry())._gauges} <= {row.name for row in all_metrics()}
