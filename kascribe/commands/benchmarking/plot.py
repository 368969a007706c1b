"""The plot of a benchmark: an SVG of one page, written without a library. Pure."""

from collections.abc import Sequence
from html import escape
from typing import Final

from kascribe.commands.benchmarking.figures import BenchRow, Observed

WIDTH: Final = 720
LEFT: Final = 170
RIGHT: Final = 80
BAR: Final = 22
STEPS: Final = 60
"""Parts of the time for which the busy share is drawn."""
CHART_HEIGHT: Final = 120
BLUE: Final = "#2f6fb0"
GREY: Final = "#8a929c"
_FONT: Final = 'font-family="sans-serif" font-size="13" fill="#222"'


def svg(rows: Sequence[BenchRow], observed: Observed, *, replicas: int) -> str:
    """Return the plot: throughput of each system, latency of each lane, and the busy share over time.

    ``rows``: Kascribe's first, then any other system's.
    """
    first = rows[0]
    parts: list[str] = []
    y = _title(parts, f"{first.model}, {first.device}, {first.compute_type}", 30, size=16)
    y = _title(parts, "Seconds of audio in a second", y + 14)
    y = _bars(parts, [(row.system, row.times_real_time, f"{row.times_real_time:.1f}") for row in rows], y)
    y = _title(parts, "Seconds from request to transcript: median, and 95th percentile", y + 20)
    latencies = [
        bar
        for lane in first.latencies
        for bar in (
            (lane.lane, lane.p50_seconds, f"{lane.p50_seconds:.2f}"),
            ("", lane.p95_seconds, f"{lane.p95_seconds:.2f}"),
        )
    ]
    y = _bars(parts, latencies, y)
    y = _title(parts, "Busy share of the engine, many files at once", y + 20)
    y = _chart(parts, busy_over_time(observed, replicas=replicas), observed.wall_seconds, y + 6)
    size = f'width="{WIDTH}" height="{y:.0f}"'
    background = f'<rect {size} fill="white"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {y:.0f}">\n'
        + "\n".join((background, *parts))
        + "\n</svg>\n"
    )


def busy_over_time(observed: Observed, *, replicas: int) -> list[float]:
    """Return the engine's busy share in each part of the time, 0 to 1."""
    step = observed.wall_seconds / STEPS
    if step <= 0:
        return [0.0] * STEPS
    found = []
    for number in range(STEPS):
        begins, ends = observed.started_at + number * step, observed.started_at + (number + 1) * step
        busy = sum(
            max(0.0, min(ends, call.ended_at) - max(begins, call.ended_at - call.seconds))
            for call in observed.calls
        )
        found.append(min(1.0, busy / (step * replicas)))
    return found


def _title(parts: list[str], text: str, y: float, *, size: int = 13) -> float:
    font = _FONT.replace('"13"', f'"{size}"')
    parts.append(f'<text x="16" y="{y:.0f}" {font} font-weight="bold">{escape(text)}</text>')
    return y + 10


def _bars(parts: list[str], bars: Sequence[tuple[str, float, str]], y: float) -> float:
    greatest = max((value for _, value, _ in bars), default=0.0) or 1.0
    for name, value, shown in bars:
        width = (WIDTH - LEFT - RIGHT) * value / greatest
        colour = BLUE if name else GREY
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 16:.0f}" text-anchor="end" {_FONT}>{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y + 2:.0f}" width="{width:.1f}" height="{BAR - 5}" fill="{colour}"/>',
            f'<text x="{LEFT + width + 6:.1f}" y="{y + 16:.0f}" {_FONT}>{escape(shown)}</text>',
        ]
        y += BAR
    return y


def _chart(parts: list[str], shares: Sequence[float], seconds: float, y: float) -> float:
    width, bottom = WIDTH - LEFT - RIGHT, y + CHART_HEIGHT
    step = width / len(shares)
    points = " ".join(
        f"{LEFT + (number + 0.5) * step:.1f},{bottom - share * CHART_HEIGHT:.1f}"
        for number, share in enumerate(shares)
    )
    for share in (0.0, 0.5, 1.0):
        at = bottom - share * CHART_HEIGHT
        parts += [
            f'<line x1="{LEFT}" x2="{LEFT + width}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>',
            f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end" {_FONT}>{share:.0%}</text>',
        ]
    parts += [
        f'<polyline points="{points}" fill="none" stroke="{BLUE}" stroke-width="2"/>',
        f'<text x="{LEFT}" y="{bottom + 18:.0f}" {_FONT}>0 s</text>',
        f'<text x="{LEFT + width}" y="{bottom + 18:.0f}" text-anchor="end" {_FONT}>{seconds:.0f} s</text>',
    ]
    return bottom + 34
