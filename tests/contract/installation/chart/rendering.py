"""The chart, rendered for tests: manifests by kind and role."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from deploy.helm.chart import EXAMPLES, Manifest, render
from deploy.helm.tools import ChartTools

CPU: Final = EXAMPLES / "cpu.yaml"
GPU: Final = EXAMPLES / "gpu-strimzi-keda.yaml"
OFFLINE: Final = EXAMPLES / "offline.yaml"
ROLES: Final = ("transcriber", "enricher", "gateway", "archive", "notifier", "reconciler")
COMPONENT: Final = "app.kubernetes.io/component"


class Chart:
    """The chart with its tools. What was rendered is kept, and copied for each test."""

    def __init__(self, tools: ChartTools) -> None:
        self.tools = tools
        self._rendered: dict[tuple[Path, tuple[str, ...]], list[Manifest]] = {}

    def manifests(self, values: Path, *sets: str) -> list[Manifest]:
        """Render one file of values, changed by ``--set-json`` assignments. Raises ChartError."""
        if (values, sets) not in self._rendered:
            self._rendered[values, sets] = render(self.tools, values, sets=sets)
        return deepcopy(self._rendered[values, sets])


def of_kind(manifests: Sequence[Manifest], kind: str) -> dict[str, Manifest]:
    """Return the manifests of a kind by their role, or by their name where they are of none."""
    found = (each for each in manifests if each["kind"] == kind)
    return {each["metadata"]["labels"].get(COMPONENT, each["metadata"]["name"]): each for each in found}


def pods(manifests: Sequence[Manifest]) -> dict[str, dict[str, Any]]:
    """Return the pod templates by role, those of the CronJob included."""
    templates = {role: each["spec"]["template"] for role, each in of_kind(manifests, "Deployment").items()}
    for role, each in of_kind(manifests, "CronJob").items():
        templates[role] = each["spec"]["jobTemplate"]["spec"]["template"]
    return templates


def container(manifests: Sequence[Manifest], role: str) -> dict[str, Any]:
    """Return the one container of a role's pod."""
    (only,) = pods(manifests)[role]["spec"]["containers"]
    return dict(only)


def variables(manifests: Sequence[Manifest], role: str) -> dict[str, str]:
    """Return the variables that are written in a role's manifest; those of Secrets are not."""
    return {each["name"]: each["value"] for each in container(manifests, role)["env"] if "value" in each}


def texts(value: Any) -> Iterator[str]:
    """Return every text within a manifest."""
    if isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value
