"""The alert rules, read by Prometheus's own tools: each fires on its series, and not on a healthy system's."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from consumers import metrics as runtime
from deploy.monitoring import __main__ as command
from deploy.monitoring.alert import Alert, rules_file
from deploy.monitoring.expressions import rate, series
from deploy.monitoring.files import ALERTS, PAGE, ROOT, RULES
from kascribe.metering.catalogue import all_metrics
from tests.contract.monitoring.alert_cases import AT_MINUTE, CASES, Series

PROCESS_NAMES: Final = frozenset({"process_start_time_seconds", "process_open_fds", "process_max_fds"})
SUFFIXES: Final = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
ALERT: Final = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def checked(promtool: str, *arguments: str | Path) -> str:
    """Run promtool and return its output; fail with it where promtool finds fault."""
    done = subprocess.run([promtool, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def expectation(inputs: Series, expected: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one test for promtool: series of one sample a minute, and what expressions give."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in inputs.items()],
        "promql_expr_test": list(expected),
    }


def firing(alert: Alert, *, minute: int, count: int) -> dict[str, Any]:
    """Expect so many firing alerts of this kind at a minute."""
    expression = f'count(ALERTS{{alertname="{alert.name}",alertstate="firing"}})'
    samples = [{"labels": "{}", "value": count}] if count else []
    return {"expr": expression, "eval_time": f"{minute}m", "exp_samples": samples}


def alert_file(folder: Path, alert: Alert, *tests: Mapping[str, Any]) -> Path:
    """Write promtool's tests of one alert, whose rule is as in the committed file. JSON is YAML too."""
    rules, path = folder / f"{alert.name}.yaml", folder / f"{alert.name}-tests.yaml"
    rules.write_text(rules_file([(alert.name, [alert])]), encoding="utf-8")
    document = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_the_rules_are_rules_for_prometheus(promtool: str) -> None:
    """Syntax, names and templates, as the server checks them at its start."""
    assert f"{len(ALERTS)} rules found" in checked(promtool, "check", "rules", ROOT / RULES)


def test_each_alert_has_its_case() -> None:
    """A new alert without one would never have been seen to fire."""
    assert set(CASES) == {alert.name for alert in ALERTS}
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)


def test_each_alert_fires_on_its_trouble_and_not_on_a_healthy_system(promtool: str, tmp_path: Path) -> None:
    """With promtool's own clock. All in one run, which names those that fail."""
    files = [
        alert_file(
            tmp_path,
            alert,
            expectation(CASES[alert.name].firing, [firing(alert, minute=AT_MINUTE, count=1)]),
            expectation(CASES[alert.name].quiet, [firing(alert, minute=AT_MINUTE, count=0)]),
        )
        for alert in ALERTS
    ]
    checked(promtool, "test", "rules", *files)


def test_an_outage_that_is_over_within_a_minute_alerts_no_one(promtool: str, tmp_path: Path) -> None:
    """A broker that restarts is away for less; one that stays away alerts once for all processes."""
    (kafka,) = (alert for alert in ALERTS if alert.name == "KascribeKafkaDown")
    of = 'kascribe_dependency_down{dependency="kafka",job="transcriber",instance="%s"}'
    stays = {of % "a": "0x10 1x20", of % "b": "0x10 1x20"}
    outcomes = [firing(kafka, minute=11, count=0), firing(kafka, minute=12, count=1)]
    exact = {
        "eval_time": "13m",
        "alertname": kafka.name,
        "exp_alerts": [
            {
                "exp_labels": {"severity": "critical", "job": "transcriber"},
                "exp_annotations": {
                    "summary": "transcriber: Kafka does not answer",
                    "runbook_url": "docs/alerts.md#kascribekafkadown",
                },
            }
        ],
    }
    ends = {of % "a": "0x10 1 0x20"}
    path = alert_file(
        tmp_path,
        kafka,
        {**expectation(stays, outcomes), "alert_rule_test": [exact]},
        expectation(ends, [firing(kafka, minute=minute, count=0) for minute in range(10, 15)]),
    )
    checked(promtool, "test", "rules", path)


def test_a_wrong_expectation_fails(promtool: str, tmp_path: Path) -> None:
    """The checks above can fail."""
    alert = ALERTS[0]
    wrong = expectation(CASES[alert.name].quiet, [firing(alert, minute=AT_MINUTE, count=1)])
    with pytest.raises(AssertionError, match="FAILED"):
        checked(promtool, "test", "rules", alert_file(tmp_path, alert, wrong))


@ALERT
def test_an_alert_reads_metrics_of_the_catalogue_and_links_to_its_section(alert: Alert) -> None:
    """So nothing is watched that no role serves, and the reader of an alert finds what to do."""
    served = {row.name + suffix for row in all_metrics() for suffix in SUFFIXES[row.kind]}
    named = set(re.findall(r"\b(?:kascribe|process)_[a-z_]+", alert.expression))
    assert named
    assert named <= served | PROCESS_NAMES
    page, anchor = alert.anchor.split("#")
    assert Path(page) == PAGE
    assert anchor in {line.removeprefix("### ").lower() for line in (ROOT / page).read_text().splitlines()}


def test_a_label_that_a_metric_does_not_have_is_an_error() -> None:
    """A typing error in an alert would otherwise be an alert that never fires."""
    with pytest.raises(ValueError, match="has no label dependency"):
        series(runtime.LAG, dependency="kafka")
    with pytest.raises(ValueError, match="has no label lane"):
        rate(runtime.RETRIES, "lane", window="5m")
    assert series(runtime.RETRIES, reason="~a|b", job="!c") == 'kascribe_retries_total{reason=~"a|b",job!="c"}'


def test_the_committed_files_are_what_is_generated(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """``make docs`` writes them; ``make lint`` fails where they differ."""
    assert command.main(["--check"]) == 0
    assert command.main(["--check", "--root", str(tmp_path)]) == 1
    assert f"{RULES} differs" in capsys.readouterr().out
    assert command.main(["--root", str(tmp_path)]) == 0
    (tmp_path / "deploy/monitoring/dashboards/old.json").write_text("{}")
    assert command.main(["--check", "--root", str(tmp_path)]) == 1
    assert command.main(["--root", str(tmp_path)]) == 0
    assert command.main(["--check", "--root", str(tmp_path)]) == 0
