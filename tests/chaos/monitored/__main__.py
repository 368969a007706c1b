"""``make monitor``: every role on real servers under a real Prometheus; Kafka, the store and vLLM are frozen and
stopped, and the alert about each has to fire, with the rules as they are committed.

Then every expression of the dashboards has to give data, and promtool checks what each role serves. With
--pictures the answers to the dashboards' queries are drawn into a folder: by this program, not by Grafana.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from rich.console import Console
from rich.table import Table

from deploy.monitoring.files import DASHBOARD_LIST, ROOT, RULES
from deploy.monitoring.server import missing_programs
from tests.chaos.monitored.outages import Observed, observe, outages
from tests.chaos.monitored.picture import draw
from tests.chaos.monitored.queries import Answers, answers_of
from tests.chaos.monitored.system import Monitored, monitored
from tests.support.waiting import eventually

INTERVAL_SECONDS: Final = 5
WARM_UP_SECONDS: Final = 60.0
"""Of ordinary work before the first outage, so that the pictures begin with a system that is well."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when every alert fired and ended, every expression gave data, and promtool found no fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.monitored", description=__doc__)
    parser.add_argument("--pictures", type=Path, help="draw the dashboards into this folder")
    parser.add_argument("--answers", type=Path, help="draw these answers of an earlier run, and end")
    parser.add_argument("--only", default="", help="run the outages whose names contain this")
    chosen = parser.parse_args(arguments)
    console = Console()
    if chosen.answers:
        return _draw(Answers.from_json(chosen.answers.read_text()), chosen.pictures or Path(), console)
    if missing := missing_programs():
        console.print(f"not on PATH, from Debian's package prometheus: {', '.join(missing)}")
        return 2
    directory = Path(mkdtemp(prefix="kascribe-monitor-"))
    console.print(f"logs: {directory}")
    rules = (ROOT / RULES).read_text(encoding="utf-8")
    with monitored(directory, rules=rules, interval_seconds=INTERVAL_SECONDS) as system:
        began = time.time()
        eventually(lambda: time.time() - began > WARM_UP_SECONDS, timeout_seconds=2 * WARM_UP_SECONDS)
        seen = []
        for outage in outages(system):
            if chosen.only in outage.what:
                seen.append(observe(system, outage))
                print(seen[-1], flush=True)
        answers = answers_of(system.prometheus, DASHBOARD_LIST, begin=began, end=time.time())
        wrong = [f"promtool finds fault with {role}: {fault}" for role, fault in _faults(system)]
    (directory / "answers.json").write_text(answers.to_json())
    wrong += [f"{each.alert} did not end: {each.what}" for each in seen if each.ended_seconds is None]
    wrong += [f"{each.alert} did not fire: {each.what}" for each in seen if each.fired_seconds is None]
    wrong += [f"no data: {name}" for name in _empty_queries(answers)]
    console.print(_table(seen))
    if chosen.pictures:
        _draw(answers, chosen.pictures, console)
    for sentence in wrong:
        console.print(f"[red]wrong:[/] {sentence}")
    return 1 if wrong else 0


def _faults(system: Monitored) -> list[tuple[str, str]]:
    """Return what promtool says of each role's real output."""
    found = []
    for role in system.ports:
        try:
            body = system.exposition(role)
        except OSError as error:
            found.append((role, f"it no longer serves metrics: {error}"))
            continue
        done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
        if done.returncode or done.stdout or done.stderr:
            found.append((role, (done.stdout + done.stderr).decode()))
    return found


def _draw(answers: Answers, folder: Path, console: Console) -> int:
    for dashboard in DASHBOARD_LIST:
        console.print(f"drawn: {draw(dashboard, answers, folder)}")
    return 0


def _empty_queries(answers: Answers) -> list[str]:
    return [f"{name}: {expression}" for (name, expression), series in answers.series.items() if not series]


def _table(seen: Sequence[Observed]) -> Table:
    table = Table("outage", "alert", "fires after, s", "ends after, s", "fired beside it")
    for each in seen:
        times = [
            "never" if taken is None else f"{taken:.0f}" for taken in (each.fired_seconds, each.ended_seconds)
        ]
        table.add_row(each.what, each.alert, *times, ", ".join(each.beside))
    return table


if __name__ == "__main__":
    sys.exit(main())
