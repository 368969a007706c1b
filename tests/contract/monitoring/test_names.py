"""Every role's metrics follow Prometheus's conventions, as its own linter knows them."""

import subprocess

import pytest

from consumers.metrics import Instruments, new_instruments
from kascribe.metering.catalogue import ROLE_METRICS
from kascribe.metering.process import observe_process
from schemas.monitoring import PROCESS_METRICS, Metric


def linted(promtool: str, exposition: bytes) -> str:
    """Return what promtool finds in metrics as a role serves them; empty when they follow the conventions."""
    done = subprocess.run([promtool, "check", "metrics"], input=exposition, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode()


def exposition_of(role: str) -> bytes:
    """Return what a role serves, each metric with a series."""
    instruments = new_instruments(ROLE_METRICS[role])
    observe_process(instruments, role, services=("kafka",))
    for row in ROLE_METRICS[role]:
        if row not in PROCESS_METRICS:
            _measure(instruments, row)
    return instruments.exposition()


def _measure(instruments: Instruments, row: Metric) -> None:
    values = ["x" for _ in row.labels]
    if row.kind == "histogram":
        histogram = instruments.histogram(row)
        (histogram.labels(*values) if values else histogram).observe(1)
    elif row.kind == "counter":
        counter = instruments.counter(row)
        (counter.labels(*values) if values else counter).inc()
    else:
        gauge = instruments.gauge(row)
        (gauge.labels(*values) if values else gauge).set(1)


@pytest.mark.parametrize("role", ROLE_METRICS)
def test_promtool_has_nothing_to_say_of_a_role_s_metrics(promtool: str, role: str) -> None:
    """Names, units and kinds as dashboards and colleagues expect them."""
    exposition = exposition_of(role)
    for row in ROLE_METRICS[role]:
        assert f"# TYPE {row.name} {row.kind}\n".encode() in exposition
    assert linted(promtool, exposition) == ""


def test_promtool_would_say_so(promtool: str) -> None:
    """A counter without its suffix is a finding: the checker checks."""
    assert "_total" in linted(
        promtool, b"# HELP kascribe_jobs Jobs.\n# TYPE kascribe_jobs counter\nkascribe_jobs 1\n"
    )
