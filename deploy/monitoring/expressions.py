"""PromQL made of rows of the catalogue: a metric or label that is renamed breaks the build, not an alert.

Every function raises ValueError for a label that the metric does not have.
"""

from typing import Final

from schemas.monitoring import Metric

TARGET_LABELS: Final = ("namespace", "job", "instance", "pod")
"""Labels that Prometheus adds to what it scrapes; only Kubernetes has a namespace and pods."""

PLACE: Final = ("namespace", "job")
"""What alerts are grouped by: one alert for all processes of a role in one place."""


def series(metric: Metric, suffix: str = "", **labels: str) -> str:
    """Return a selector. A value that begins with ``~`` or ``!`` is a pattern, or what must not be."""
    _check(metric, labels)
    matchers = ",".join(f"{name}{_matcher(value)}" for name, value in labels.items())
    return f"{metric.name}{suffix}" + (f"{{{matchers}}}" if matchers else "")


def summed(metric: Metric, *by: str, **labels: str) -> str:
    """Return the sum of a gauge over processes."""
    return f"sum{_by(metric, by)}({series(metric, **labels)})"


def summed_peaks(metric: Metric, *by: str, window: str, **labels: str) -> str:
    """Return the sum of each process's highest value of a gauge within the window: a restart does not hide it."""
    return f"sum{_by(metric, by)}(max_over_time({series(metric, **labels)}[{window}]))"


def highest(metric: Metric, *by: str, **labels: str) -> str:
    """Return the highest value of a gauge over processes."""
    return f"max{_by(metric, by)}({series(metric, **labels)})"


def rate(metric: Metric, *by: str, window: str, **labels: str) -> str:
    """Return the events per second of a counter, or of a histogram's observations, over all processes."""
    return f"sum{_by(metric, by)}(rate({_counted(metric, labels)}[{window}]))"


def increase(metric: Metric, *by: str, window: str, **labels: str) -> str:
    """Return the events of a counter, or of a histogram's observations, within the window."""
    return f"sum{_by(metric, by)}(increase({_counted(metric, labels)}[{window}]))"


def quantile(share: float, metric: Metric, *by: str, window: str, **labels: str) -> str:
    """Return the value below which this share of a histogram's observations lies."""
    return (
        f"histogram_quantile({share}, sum{_by(metric, (*by, 'le'))}"
        f"(rate({series(metric, '_bucket', **labels)}[{window}])))"
    )


def mean(metric: Metric, *by: str, window: str, **labels: str) -> str:
    """Return the mean of a histogram's observations."""
    total = f"sum{_by(metric, by)}(rate({series(metric, '_sum', **labels)}[{window}]))"
    return f"{total} / {rate(metric, *by, window=window, **labels)}"


def _counted(metric: Metric, labels: dict[str, str]) -> str:
    return series(metric, "_count" if metric.kind == "histogram" else "", **labels)


def _matcher(value: str) -> str:
    operator = {"~": "=~", "!": "!="}.get(value[:1], "=")
    return f'{operator}"{value if operator == "=" else value[1:]}"'


def _by(metric: Metric, by: tuple[str, ...]) -> str:
    _check(metric, dict.fromkeys(by, ""))
    return f" by ({', '.join(by)}) " if by else ""


def _check(metric: Metric, labels: dict[str, str]) -> None:
    unknown = set(labels) - {*metric.labels, *TARGET_LABELS, "le"}
    if unknown:
        raise ValueError(f"{metric.name} has no label {', '.join(sorted(unknown))}")
