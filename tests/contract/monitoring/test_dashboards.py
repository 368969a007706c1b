"""The dashboards: every expression parses, every metric is shown, and the files are Grafana's by its own types."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.monitoring.files import DASHBOARD_LIST, DASHBOARDS, ROOT
from deploy.monitoring.panel import COLUMNS, WINDOW, Dashboard
from kascribe.metering.catalogue import all_metrics
from tests.contract.monitoring.test_alerts import PROCESS_NAMES, SUFFIXES, checked

PROCESS: Final = PROCESS_NAMES | {"process_resident_memory_bytes", "process_cpu_seconds_total"}
EACH: Final = pytest.mark.parametrize("dashboard", DASHBOARD_LIST, ids=lambda dashboard: dashboard.name)


def document(dashboard: Dashboard) -> dict[str, Any]:
    """Return the committed file of a dashboard."""
    found: dict[str, Any] = json.loads((ROOT / DASHBOARDS / f"{dashboard.name}.json").read_text(encoding="utf-8"))
    return found


def test_every_expression_is_promql(promtool: str, tmp_path: Path) -> None:
    """Checked as rules, which Prometheus parses as it parses queries."""
    expressions = [each for dashboard in DASHBOARD_LIST for each in dashboard.expressions]
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace(WINDOW, "1m")}
        for number, expression in enumerate(expressions)
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in checked(promtool, "check", "rules", path)


def test_every_metric_of_the_catalogue_is_shown_and_nothing_else() -> None:
    """A metric that is renamed or new does not stay invisible."""
    served = {row.name + suffix: row.name for row in all_metrics() for suffix in SUFFIXES[row.kind]}
    text = " ".join(each for dashboard in DASHBOARD_LIST for each in dashboard.expressions)
    named = set(re.findall(r"\b(?:kascribe|process)_[a-z_]+", text))
    assert named <= set(served) | PROCESS
    assert {served[name] for name in named if name in served} == {row.name for row in all_metrics()}


@EACH
def test_panels_have_names_and_places_of_their_own(dashboard: Dashboard) -> None:
    """None covers another, and none is wider than the page."""
    panels = document(dashboard)["panels"]
    assert len({panel["title"] for panel in panels}) == len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (place["x"] + column, place["y"] + row) for column in range(place["w"]) for row in range(place["h"])
        }
        assert place["x"] + place["w"] <= COLUMNS
        assert not cells & taken
        taken |= cells


@EACH
def test_a_dashboard_asks_for_its_data_source_and_names_its_readers(dashboard: Dashboard) -> None:
    """It is imported anywhere: no address and no id of an installation is in it."""
    found = document(dashboard)
    assert found["uid"] == f"kascribe-{dashboard.name}"
    assert found["description"].startswith("For ")
    sources = {target["datasource"]["uid"] for panel in found["panels"] for target in panel["targets"]}
    assert sources == {"${datasource}"}
