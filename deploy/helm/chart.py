"""The chart as its tools see it: linted, rendered, and validated against the schemas of Kubernetes."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.helm.tools import KUBERNETES_VERSIONS, ChartTools

CHART: Final = Path(__file__).parent / "kascribe"
EXAMPLES: Final = Path(__file__).parent / "examples"
NAMESPACE: Final = "speech"
RELEASE: Final = "kascribe"
TIMEOUT_SECONDS: Final = 120
APIS: Final = ("keda.sh/v1alpha1", "monitoring.coreos.com/v1")

Manifest = Mapping[str, Any]


class ChartError(Exception):
    """A tool refused the chart or the values. The text is the tool's own."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one file of values: the kinds rendered, and the complaints; none when all is well."""

    values: Path
    kinds: tuple[str, ...]
    problems: tuple[str, ...]


def lint(tools: ChartTools, values: Path) -> None:
    """Run ``helm lint``, warnings included. Raises ChartError."""
    _run([tools.helm, "lint", "--strict", "--namespace", NAMESPACE, "--values", values, CHART])


def render(
    tools: ChartTools, *values: Path, sets: Sequence[str] = (), version: str | None = None, chart: Path = CHART
) -> list[Manifest]:
    """Return the manifests that ``helm template`` makes of these values. Raises ChartError with its complaint.

    ``sets`` are of ``--set-json``, as in ``gateway.replicas=3``; ``version`` is that of Kubernetes.
    """
    command: list[Path | str] = [tools.helm, "template", RELEASE, chart, "--namespace", NAMESPACE]
    command += [part for file in values for part in ("--values", file)]
    command += [part for each in sets for part in ("--set-json", each)]
    command += [part for api in APIS for part in ("--api-versions", api)]
    command += ["--kube-version", version or KUBERNETES_VERSIONS[-1]]
    return [each for each in yaml.safe_load_all(_run(command)) if each is not None]


def validate(tools: ChartTools, manifests: Sequence[Manifest], version: str) -> list[str]:
    """Return kubeconform's complaints about manifests, for a version of Kubernetes. Reads local schemas alone."""
    location = f"{tools.schemas}/{version}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        yaml.safe_dump_all(manifests, file)
        file.flush()
        made = _finished(
            [tools.kubeconform, "-strict", "-output", "json", "-schema-location", location, file.name]
        )
    if made.returncode not in {0, 1} or not made.stdout:
        raise ChartError(made.stderr or made.stdout)
    found = json.loads(made.stdout).get("resources") or []
    return [f"{each['kind']} {each['name']}: {each['msg']}" for each in found]


def check(tools: ChartTools, values: Path) -> Checked:
    """Lint, render and validate one file of values, on every version of Kubernetes that there are schemas of."""
    problems: list[str] = []
    kinds: tuple[str, ...] = ()
    try:
        lint(tools, values)
        for version in KUBERNETES_VERSIONS:
            manifests = render(tools, values, version=version)
            kinds = tuple(str(each["kind"]) for each in manifests)
            problems += [f"Kubernetes {version}: {each}" for each in validate(tools, manifests, version)]
    except ChartError as error:
        problems.append(str(error))
    return Checked(values, kinds, tuple(problems))


def _run(command: Sequence[Path | str]) -> str:
    made = _finished(command)
    if made.returncode != 0:
        raise ChartError((made.stderr.strip() + "\n" + made.stdout.strip()).strip())
    return made.stdout


def _finished(command: Sequence[Path | str]) -> subprocess.CompletedProcess[str]:
    # A home of its own: neither plugins nor repositories of the user decide.
    with tempfile.TemporaryDirectory(prefix="kascribe-helm-") as home:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": home}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
        )
