"""An outage of the real object store, as a real Prometheus sees it: the alert fires, and ends."""

import os
import subprocess
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from deploy.monitoring.alert import rules_file
from deploy.monitoring.files import ALERTS, DASHBOARD_LIST
from deploy.monitoring.panel import WINDOW
from deploy.monitoring.server import Prometheus, missing_programs
from models.selftest import clips
from tests.integration.health.test_liveness import _frozen
from tests.integration.pipeline import Pipeline
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

ALERT_SECONDS: Final = 60.0
"""The role notices an outage within 15 to 20 s; the rest is for a busy machine."""


@pytest.fixture(scope="module")
def programs() -> None:
    """Skip where Prometheus is missing, except in CI, where that fails."""
    missing: Sequence[str] = missing_programs()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"not on PATH, from Debian's package prometheus: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not on PATH: {', '.join(missing)}")


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("programs")
def test_an_outage_of_the_store_alerts_on_a_real_prometheus_and_ends_with_it(
    stack: PrivateStack, tmp_path: Path
) -> None:
    """The committed rules, but for their patience, over a real transcriber with a frozen MinIO."""
    rules = rules_file([("impatient", [replace(alert, lasts="0s") for alert in ALERTS])])
    with Pipeline(stack, tmp_path, {}) as pipeline:
        targets = {"transcriber": pipeline.role.health_port}
        with Prometheus(tmp_path / "prometheus", targets, rules=rules) as prometheus:
            eventually(lambda: prometheus.targets_up() == set(targets), timeout_seconds=30)
            assert "KascribeBucketDown" not in prometheus.firing()
            with _frozen(stack, "minio"):
                _await(prometheus, "KascribeBucketDown", firing=True)
                assert "KascribeKafkaDown" not in prometheus.firing()
            _await(prometheus, "KascribeBucketDown", firing=False)
            _check_work(pipeline, prometheus)


def _check_work(pipeline: Pipeline, prometheus: Prometheus) -> None:
    """Check what a transcript does to the metrics, and that the real role's names follow the conventions."""
    uri = pipeline.put(clips()[0].path.read_bytes())
    pipeline.refer(uri)
    pipeline.transcript_of(uri)
    done = 'kascribe_records_settled_total{outcome="completed",topic=~".*references"} == 1'
    eventually(lambda: prometheus.query(done), timeout_seconds=ALERT_SECONDS, what=done)
    answered = 'kascribe_end_to_end_seconds_count{role="transcriber",lane="bulk"} == 1'
    eventually(lambda: prometheus.query(answered), timeout_seconds=ALERT_SECONDS, what=answered)
    nothing_waits = 'sum(kascribe_backlog_audio_seconds{role="transcriber"}) == 0'
    eventually(lambda: prometheus.query(nothing_waits), timeout_seconds=ALERT_SECONDS, what=nothing_waits)
    (build,) = prometheus.query("kascribe_build_info")
    assert build["metric"]["device"] == "cpu"
    for dashboard in DASHBOARD_LIST:
        for expression in dashboard.expressions:
            prometheus.query(expression.replace(WINDOW, "15s"))  # a wrong one is a ValueError
    url = f"http://127.0.0.1:{pipeline.role.health_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        served = answer.read()
    linted = subprocess.run(["promtool", "check", "metrics"], input=served, capture_output=True, check=False)
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, b"", b"")


def _await(prometheus: Prometheus, alert: str, *, firing: bool) -> None:
    eventually(
        lambda: (alert in prometheus.firing()) is firing,
        timeout_seconds=ALERT_SECONDS,
        what=f"{alert} {'fires' if firing else 'ends'}",
    )
