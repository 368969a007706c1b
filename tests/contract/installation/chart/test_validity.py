"""The chart passes Helm's linter and kubeconform with every example, and both notice what is wrong."""

import tomllib
from pathlib import Path

import pytest
import yaml

from deploy.helm.chart import CHART, EXAMPLES, ChartError, check, lint, validate
from deploy.helm.tools import KUBERNETES_VERSIONS, closed
from schemas.roles import Role
from tests.contract.installation.chart.rendering import CPU, GPU, OFFLINE, Chart, of_kind

REPOSITORY = Path(__file__).parents[4]


@pytest.mark.parametrize("values", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_valid_on_the_oldest_and_the_latest_kubernetes(chart: Chart, values: Path) -> None:
    """Users start from these files: the linter, the schemas of Kubernetes, KEDA and Prometheus accept them."""
    checked = check(chart.tools, values)
    assert checked.problems == ()
    assert "Deployment" in checked.kinds


def test_the_examples_show_every_role_and_kind(chart: Chart) -> None:
    """What no example renders would not be checked."""
    manifests = [each for values in (CPU, GPU, OFFLINE) for each in chart.manifests(values)]
    assert set(of_kind(manifests, "Deployment")) == {*Role, "reconciler"}
    assert {each["kind"] for each in manifests} == {
        "ConfigMap", "CronJob", "Deployment", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor",
        "ScaledObject", "Service", "ServiceAccount", "TriggerAuthentication",
    }  # fmt: skip


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "terminationGracePeriod"), 30),
        ("Deployment", ("spec", "replicas"), "two"),
        ("NetworkPolicy", ("spec", "podSelector"), "all"),
        ("ScaledObject", ("spec", "minReplicas"), 1),
        ("PodMonitor", ("spec", "podMetricsEndpoints"), {}),
    ],
)
def test_a_fault_in_a_manifest_is_found(
    chart: Chart, version: str, kind: str, path: tuple[str, ...], value: object
) -> None:
    """The check can fail: a wrong name and a wrong type, in kinds of Kubernetes, KEDA and Prometheus."""
    (_, manifest), *_ = of_kind(chart.manifests(GPU), kind).items()
    assert validate(chart.tools, [manifest], version) == []
    *steps, last = path
    place = manifest
    for step in steps:
        place = place[step]
    place[last] = value  # type: ignore[index]
    assert len(validate(chart.tools, [manifest], version)) == 1


def test_a_kind_without_a_schema_is_no_success(chart: Chart) -> None:
    """What cannot be checked is a complaint, not silence."""
    unknown = {"apiVersion": "v1", "kind": "Unknown", "metadata": {"name": "unknown"}}
    assert validate(chart.tools, [unknown], KUBERNETES_VERSIONS[-1]) != []


def test_the_linter_refuses_values_that_the_schema_refuses(chart: Chart, tmp_path: Path) -> None:
    """A wrong value is found before an installation, too."""
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({**yaml.safe_load(CPU.read_text()), "transcribers": {}}))
    with pytest.raises(ChartError, match="transcribers"):
        lint(chart.tools, values)


def test_definitions_are_closed_except_where_they_are_open() -> None:
    """A property that a definition of a kind does not name is an error, as it is for the API server's check."""
    shape = {"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "string"}}}}
    assert closed(shape) == {**shape, "additionalProperties": False}
    kept = {"type": "object", "properties": {}, "x-kubernetes-preserve-unknown-fields": True}
    assert closed(kept) == kept


def test_the_chart_has_the_version_of_the_package() -> None:
    """The tag of the images, unless it is set, is the version that was built."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    described = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert described["appVersion"] == project["version"]
