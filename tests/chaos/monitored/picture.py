"""Pictures of the real answers to the dashboards' queries. They are drawn here: Grafana has no part in them."""

import html
import math
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from deploy.monitoring.panel import COLUMNS, Dashboard, Panel, Query
from tests.chaos.monitored.queries import Answers, Line
from tests.support.browser import visiting
from tests.support.listening import missing

WIDTH: Final = 1_240
PLOT_WIDTH: Final = 400
PLOT_HEIGHT: Final = 110
LEGEND_LIMIT: Final = 8
TIME_LABELS: Final = 5
STALE_SECONDS: Final = 60.0
COLOURS: Final = (
    "#2563eb",
    "#d97706",
    "#059669",
    "#dc2626",
    "#7c3aed",
    "#0891b2",
    "#be185d",
    "#4d7c0f",
    "#6b7280",
)
NOTE: Final = "Answers of a real Prometheus to this dashboard's queries, drawn by `make monitor`. Not Grafana."

STYLE: Final = """
body { font: 13px system-ui, sans-serif; margin: 16px; background: #f8fafc; color: #0f172a; width: 1208px }
h1 { font-size: 20px; margin: 0 0 2px } p { margin: 0 0 12px; color: #475569 }
main { display: grid; grid-template-columns: repeat(24, 1fr); gap: 10px }
section { background: white; border: 1px solid #e2e8f0; border-radius: 6px; padding: 8px 10px; overflow: hidden }
h2 { font-size: 13px; margin: 0 0 4px } svg { width: 100%; display: block }
ul { list-style: none; margin: 4px 0 0; padding: 0; columns: 2; font-size: 11px }
li { overflow-wrap: anywhere }
b { font-size: 22px }
i { display: inline-block; width: 10px; height: 3px; margin-right: 4px; vertical-align: middle }
text { font: 10px system-ui, sans-serif; fill: #475569; paint-order: stroke; stroke: white; stroke-width: 3px }
 td, th { padding: 2px 10px 2px 0; text-align: left }
"""


def draw(dashboard: Dashboard, answers: Answers, folder: Path) -> Path:
    """Draw a dashboard as a picture, and return its path. Skips a test without Chromium."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{dashboard.name}.html"
    page.write_text(_page(dashboard, answers), encoding="utf-8")
    picture = folder / f"monitoring-{dashboard.name}.png"
    if shutil.which("chromium") is None:
        missing("no chromium on PATH: apt-get install chromium")
    with visiting(page.absolute().as_uri(), width=WIDTH, height=700) as visit:
        visit.page.goto(page.absolute().as_uri())
        visit.page.screenshot(path=picture, full_page=True)
    page.unlink()
    return picture


def _page(dashboard: Dashboard, answers: Answers) -> str:
    panels = "".join(_section(dashboard, panel, answers) for panel in dashboard.panels)
    title = html.escape(dashboard.title)
    return (
        f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
        f"<h1>{title}</h1><p>{html.escape(NOTE)}</p><main>{panels}</main>"
    )


def _section(dashboard: Dashboard, panel: Panel, answers: Answers) -> str:
    lines = [
        (_name(query, line), line)
        for query in panel.queries
        for line in answers.series[dashboard.name, query.expression]
    ]
    match panel.shape:
        case "stat":
            still = [
                (name, line)
                for name, line in lines
                if line.points and line.points[-1][0] > answers.end - STALE_SECONDS
            ]
            body = " &nbsp; ".join(
                f"<b>{_text(line.points[-1][1], panel.unit)}</b> {name}" for name, line in still
            )
        case "table":
            body = _table(line for _, line in lines)
        case _:
            body = _plot(lines, panel.unit, answers)
    span = min(panel.width, COLUMNS)
    return f'<section style="grid-column: span {span}"><h2>{html.escape(panel.title)}</h2>{body}</section>'


def _name(query: Query, line: Line) -> str:
    return html.escape(re.sub(r"\{\{(\w+)\}\}", lambda found: line.labels.get(found[1], ""), query.legend).strip())


def _plot(lines: Sequence[tuple[str, Line]], unit: str, answers: Answers) -> str:
    # The lines that move most come first: most reasons and outcomes stay at zero.
    shown = sorted(lines, key=lambda named: -max(_finite(named[1]), default=0.0))
    moving = [named for named in shown if any(_finite(named[1]))]
    still, shown = len(shown) - len(moving), moving or shown[:1]
    top = max((value for _, line in shown for value in _finite(line)), default=0.0) or 1.0
    parts = [_axis(top, unit), _times(answers)]
    legend = []
    for index, (name, line) in enumerate(shown):
        colour = COLOURS[min(index, len(COLOURS) - 1)]
        parts += [f'<path d="{path}" fill="none" stroke="{colour}"/>' for path in _paths(line, top, answers)]
        if index < LEGEND_LIMIT:
            legend.append(f'<li><i style="background:{colour}"></i>{name or "value"}</li>')
    if len(shown) > LEGEND_LIMIT:
        legend.append(f"<li>and {len(shown) - LEGEND_LIMIT} more</li>")
    if still and moving:
        legend.append(f"<li>and {still} at 0</li>")
    return f'<svg viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT + 14}">{"".join(parts)}</svg><ul>{"".join(legend)}</ul>'


def _axis(top: float, unit: str) -> str:
    rows = ((2, top), (PLOT_HEIGHT / 2, top / 2), (PLOT_HEIGHT - 2, 0.0))
    return "".join(
        f'<line x1="0" x2="{PLOT_WIDTH}" y1="{y}" y2="{y}" stroke="#e2e8f0"/>'
        f'<text x="2" y="{max(10, y - 2)}">{_text(value, unit)}</text>'
        for y, value in rows
    )


def _times(answers: Answers) -> str:
    """Name the minutes since the run began."""
    minutes = int((answers.end - answers.begin) / 60)
    step = max(1, minutes // TIME_LABELS)
    return "".join(
        f'<text x="{minute * 60 / max(1.0, answers.end - answers.begin) * PLOT_WIDTH:.0f}" y="{PLOT_HEIGHT + 11}">'
        f"{minute} min</text>"
        for minute in range(step, minutes, step)
    )


def _paths(line: Line, top: float, answers: Answers) -> Iterator[str]:
    """Yield a path for each stretch of the line without a gap."""
    stretch: list[str] = []
    for at, value in line.points:
        if math.isfinite(value):
            x = (at - answers.begin) / max(1.0, answers.end - answers.begin) * PLOT_WIDTH
            y = PLOT_HEIGHT - 2 - value / top * (PLOT_HEIGHT - 4)
            stretch.append(f"{x:.1f},{y:.1f}")
        elif stretch:
            yield "M" + "L".join(stretch)
            stretch = []
    if stretch:
        yield "M" + "L".join(stretch)


def _table(lines: Iterator[Line]) -> str:
    rows = [line.labels for line in lines]
    names = sorted({name for labels in rows for name in labels})
    head = "".join(f"<th>{html.escape(name)}" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(labels.get(name, ''))}" for name in names) for labels in rows
    )
    return f"<table><tr>{head}{body}</table>"


def _finite(line: Line) -> list[float]:
    return [value for _, value in line.points if math.isfinite(value)]


def _text(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "percentunit":
        return f"{value:.0%}"
    suffix = {"s": " s", "ops": "/s", "binBps": " B/s"}.get(unit, "")
    return f"{value:.3g}{suffix}"
