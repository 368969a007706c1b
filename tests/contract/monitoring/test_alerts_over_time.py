"""When alerts begin and end, minute by minute: processes that restart, and roles that stay away for hours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.monitoring.files import ALERTS
from tests.contract.monitoring.alert_cases import Series
from tests.contract.monitoring.test_alerts import alert_file, checked

UNDELIVERED: Final = 'kascribe_undelivered_records{namespace="a",job="t",instance="i"}'
PUBLISHED: Final = 'kascribe_records_published_total{topic="x",namespace="a",job="t",instance="i"}'
LOST: Final = 'kascribe_rebalances_total{kind="lost",namespace="a",job="t",instance="i"}'
BUILD: Final = 'kascribe_build_info{role="transcriber",namespace="%s",job="%s",instance="i"}'

PLACE: Final = '{namespace="a", job="t"}'
GONE: Final = '{namespace="prod", role="transcriber"}'


def fires(
    promtool: str,
    folder: Path,
    name: str,
    inputs: Series,
    *,
    on: Sequence[str],
    at: Sequence[int],
    quiet_at: Sequence[int],
) -> None:
    """Check that an alert fires once with exactly these labels at some minutes, and not at others."""
    (alert,) = (each for each in ALERTS if each.name == name)
    expression = f'count by ({", ".join(on)}) (ALERTS{{alertname="{name}",alertstate="firing"}})'
    labels = PLACE if "job" in on else GONE
    outcomes: list[Mapping[str, Any]] = [
        {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": labels, "value": 1}]}
        for minute in at
    ]
    outcomes += [{"expr": expression, "eval_time": f"{minute}m", "exp_samples": []} for minute in quiet_at]
    test = {
        "interval": "15s",
        "input_series": [{"series": series, "values": values} for series, values in inputs.items()],
        "promql_expr_test": outcomes,
    }
    checked(promtool, "test", "rules", alert_file(folder, alert, test))


def test_outputs_that_were_never_confirmed_alert(promtool: str, tmp_path: Path) -> None:
    """The counter of confirmed outputs has no series before the first of them, and none after a restart."""
    fires(
        promtool,
        tmp_path,
        "KascribeOutputsUnconfirmed",
        {UNDELIVERED: "0x40 5x200", PUBLISHED: "10x46 stale"},
        on=("namespace", "job"),
        at=(16, 18, 30, 50),
        quiet_at=(5, 12),
    )


def test_a_stuck_process_that_restarts_each_minute_alerts(promtool: str, tmp_path: Path) -> None:
    """Half of each minute it has nothing to confirm yet, or is not scraped."""
    minutes = " ".join("_ 0 3 3" for _ in range(60))
    fires(
        promtool,
        tmp_path,
        "KascribeOutputsUnconfirmed",
        {UNDELIVERED: minutes},
        on=("namespace", "job"),
        at=(7, 20, 59),
        quiet_at=(4,),
    )


def test_outputs_that_wait_beside_others_that_are_confirmed_alert_no_one(promtool: str, tmp_path: Path) -> None:
    """A busy process always has some; and an idle one that had some at a single scrape is well."""
    for inputs in ({UNDELIVERED: "2x240", PUBLISHED: "0+1x240"}, {UNDELIVERED: "0x40 2 0x200"}):
        fires(
            promtool,
            tmp_path,
            "KascribeOutputsUnconfirmed",
            inputs,
            on=("namespace", "job"),
            at=(),
            quiet_at=tuple(range(2, 60)),
        )


def test_the_first_loss_of_a_process_alerts(promtool: str, tmp_path: Path) -> None:
    """Its counter is there with 0 from the start, so the loss is an increase."""
    fires(
        promtool,
        tmp_path,
        "KascribePartitionsLost",
        {LOST: "0x40 1x160"},
        on=("namespace", "job"),
        at=(12, 20),
        quiet_at=(9, 30, 49),
    )


def test_a_role_that_is_gone_alerts_for_hours_in_its_namespace(promtool: str, tmp_path: Path) -> None:
    """The same role of another namespace does not stand in for it; after six hours it is forgotten."""
    fires(
        promtool,
        tmp_path,
        "KascribeRoleGone",
        {BUILD % ("prod", "t"): "1x120 stale", BUILD % ("staging", "t"): "1x2000"},
        on=("namespace", "role"),
        at=(37, 60, 120, 385),
        quiet_at=(29, 34, 395),
    )


def test_a_role_that_is_back_alerts_no_one(promtool: str, tmp_path: Path) -> None:
    """A new process has another instance and version; a restart takes less than five minutes."""
    fires(
        promtool,
        tmp_path,
        "KascribeRoleGone",
        {BUILD % ("prod", "t"): "1x120 stale", BUILD % ("prod", "new"): "_x132 1x400"},
        on=("namespace", "role"),
        at=(),
        quiet_at=(31, 33, 36, 40, 100),
    )
