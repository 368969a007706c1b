"""The generated files: alert rules, dashboards, and the page of alerts. The same code gives the same bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.monitoring.alert import Alert, rules_file, section
from deploy.monitoring.edge_dashboards import DELIVERY, GATEWAY
from deploy.monitoring.panel import Dashboard, dashboard_file
from deploy.monitoring.service_alerts import DEPENDENCY_ALERTS, PROCESS_ALERTS
from deploy.monitoring.work_alerts import BACKLOG_ALERTS, EDGE_ALERTS, FAILURE_ALERTS
from deploy.monitoring.work_dashboards import ENRICHER, OVERVIEW, TRANSCRIBER
from kascribe.documents.markdown import page

ROOT: Final = Path(__file__).parents[2]
RULES: Final = Path("deploy/monitoring/alerts.yaml")
DASHBOARDS: Final = Path("deploy/monitoring/dashboards")
PAGE: Final = Path("docs/alerts.md")

DASHBOARD_LIST: Final[Sequence[Dashboard]] = (OVERVIEW, TRANSCRIBER, ENRICHER, GATEWAY, DELIVERY)
GROUPS: Final[Sequence[tuple[str, str, Sequence[Alert]]]] = (
    ("kascribe-services", "Services", DEPENDENCY_ALERTS),
    ("kascribe-processes", "Processes", PROCESS_ALERTS),
    ("kascribe-backlog", "Backlog and latency", BACKLOG_ALERTS),
    ("kascribe-failures", "Failures", FAILURE_ALERTS),
    ("kascribe-edges", "Gateway, webhooks, reconciler, archive", EDGE_ALERTS),
)
ALERTS: Final = tuple(alert for _, _, alerts in GROUPS for alert in alerts)

INTRODUCTION: Final = """
Rules for Prometheus are in `deploy/monitoring/alerts.yaml`; every alert links to its section here. They are made
of the [metrics](metrics.md), need no name of a job, and group by `namespace` and `job`, so one alert stands for
all processes of a role. `critical` asks for someone now, `warning` for someone today.

```yaml
# prometheus.yml
rule_files: [alerts.yaml]
```

`promtool check rules deploy/monitoring/alerts.yaml` checks the file, and `make test` lets each alert fire, and not
fire, in promtool. [Monitoring](monitoring.md) shows how to set Prometheus and Grafana up.

An outage is noticed by a role within 15 to 20 s, scraped within one scrape interval, and alerted after the time
that stands at the alert.
"""


def generated_files() -> dict[Path, str]:
    """Return every file by its path within the repository."""
    rules = rules_file([(name, alerts) for name, _, alerts in GROUPS])
    sections = (f"## {title}\n\n" + "\n\n".join(map(section, alerts)) for _, title, alerts in GROUPS)
    dashboards = {DASHBOARDS / f"{each.name}.json": dashboard_file(each) for each in DASHBOARD_LIST}
    return {RULES: rules, PAGE: page("Alerts", INTRODUCTION, *sections), **dashboards}
