"""Helm, kubeconform and the schemas of Kubernetes' kinds: built once, then kept in the cache of servers.

Nothing of it needs a cluster. The schemas of Kubernetes come from a package with all of them; those of KEDA and of
the Prometheus operator from the definitions in their Go modules.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.stack.cache import Entry, Report, entry_directory, run_tool
from deploy.stack.errors import StackError

HELM_VERSION: Final = "v3.22.0"
KUBECONFORM_VERSION: Final = "v0.8.0"
KEDA_VERSION: Final = "v2.21.0"
PROMETHEUS_OPERATOR_VERSION: Final = "v0.85.0"

KUBERNETES_VERSIONS: Final = ("1.29.0", "1.37.0")
"""The oldest that the chart supports, and the latest that there are schemas of."""

KINDS: Final = (
    "configmap-v1",
    "cronjob-batch-v1",
    "deployment-apps-v1",
    "ingress-networking-v1",
    "networkpolicy-networking-v1",
    "poddisruptionbudget-policy-v1",
    "secret-v1",
    "service-v1",
    "serviceaccount-v1",
)
"""Of Kubernetes' own kinds, those that a chart of ours may have."""

DEFINITIONS: Final = {
    f"github.com/kedacore/keda/v2@{KEDA_VERSION}": (
        "config/crd/bases/keda.sh_scaledobjects.yaml",
        "config/crd/bases/keda.sh_triggerauthentications.yaml",
    ),
    f"github.com/prometheus-operator/prometheus-operator@{PROMETHEUS_OPERATOR_VERSION}": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
    ),
}
"""Files with definitions of other kinds, by their Go module."""

LOCK: Final = Path(__file__).parent / "requirements.lock"
BUILD_TIMEOUT_SECONDS: Final = 1800  # 75 s measured on two idle cores
DOWNLOAD_TIMEOUT_SECONDS: Final = 600

_REFERENCE: Final = re.compile(r"^(?:/api/_definitions\.json)?#/\$defs/(.+)$")


@dataclass(frozen=True, slots=True)
class ChartTools:
    """Programs, and the folder that has a folder of schemas for each version of Kubernetes."""

    helm: Path
    kubeconform: Path
    schemas: Path


def missing_tools() -> list[str]:
    """Return what has to be installed before ``prepare`` can succeed, each with advice."""
    wanted = {"go": "Go 1.26 or newer, which compiles Helm (Debian: golang-go)", "uv": "make setup"}
    return [f"{tool}: {advice}" for tool, advice in wanted.items() if _program(tool) is None]


def prepare(cache: Path, *, report: Report = print) -> ChartTools:
    """Return the tools; build those that the cache lacks. Blocks for two minutes the first time.

    Safe to call from several processes at once. Raises StackError when a tool is missing or a build fails.
    """
    if missing := missing_tools():
        raise StackError("checking the chart needs, on PATH: " + "; ".join(missing))
    programs, schemas = (entry_directory(cache / "servers", entry, report) for entry in _entries())
    return ChartTools(programs / "helm", programs / "kubeconform", schemas)


def _entries() -> tuple[Entry, Entry]:
    return (
        Entry(f"helm-{HELM_VERSION}-{KUBECONFORM_VERSION}", _build_programs, "go", "", "a minute and a half"),
        Entry(
            f"kubernetes-schemas-{'-'.join(KUBERNETES_VERSIONS)}-keda-{KEDA_VERSION}"
            f"-operator-{PROMETHEUS_OPERATOR_VERSION}",
            _build_schemas,
            "go",
            "",
            "about twenty seconds",
        ),
    )


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def _build_programs(building: Path) -> None:
    settings = {"GOBIN": str(building), "CGO_ENABLED": "0"}
    for module in (
        f"helm.sh/helm/v3/cmd/helm@{HELM_VERSION}",
        f"github.com/yannh/kubeconform/cmd/kubeconform@{KUBECONFORM_VERSION}",
    ):
        run_tool(["go", "install", "-trimpath", "-ldflags", "-s -w", module], settings, BUILD_TIMEOUT_SECONDS)


def _build_schemas(building: Path) -> None:
    downloaded = building / "downloaded"
    install = [_program("uv") or "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    run_tool(
        [*install, "--python", sys.executable, "--target", str(downloaded), "--requirements", str(LOCK)],
        {},
        DOWNLOAD_TIMEOUT_SECONDS,
    )
    definitions = [each for module, files in DEFINITIONS.items() for each in _definitions(module, files)]
    for version in KUBERNETES_VERSIONS:
        place = building / version
        place.mkdir()
        source = downloaded / "kubernetes_validate" / "kubernetes-json-schema" / f"v{version}-local-strict"
        for name, schema in [*own_schemas(source), *definitions]:
            (place / f"{name}.json").write_text(json.dumps(schema), encoding="utf-8")
    shutil.rmtree(downloaded)


def own_schemas(source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the schemas of KINDS, each with the definitions that it refers to within it."""
    every = json.loads((source / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    for name in KINDS:
        needed: dict[str, Any] = {}
        schema = _with_references_within(json.loads((source / f"{name}.json").read_text("utf-8")), every, needed)
        del schema["$id"]  # an address from which references would be resolved, and kubeconform loads a file
        yield name, schema | {"$defs": needed}


def _with_references_within(schema: Any, every: Mapping[str, Any], needed: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_with_references_within(each, every, needed) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for name, value in schema.items():
        found = _REFERENCE.match(value) if name == "$ref" and isinstance(value, str) else None
        if found is None:
            made[name] = _with_references_within(value, every, needed)
            continue
        if found[1] not in needed:
            needed[found[1]] = {}  # before its own references, which may lead back to it
            needed[found[1]] = _with_references_within(every[found[1]], every, needed)
        made[name] = f"#/$defs/{found[1]}"
    return made


def _definitions(module: str, files: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in files:
        definition = yaml.safe_load((_module_directory(module) / file).read_text(encoding="utf-8"))["spec"]
        for version in definition["versions"]:
            kind, group = definition["names"]["kind"].lower(), definition["group"].split(".")[0]
            yield f"{kind}-{group}-{version['name']}", closed(version["schema"]["openAPIV3Schema"])


def closed(schema: Any) -> Any:
    """Refuse properties that a definition does not name, as an API server's validation of fields does."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items()}
    is_open = "additionalProperties" in made or made.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not is_open:
        made["additionalProperties"] = False
    return made


def _module_directory(module: str) -> Path:
    shown = subprocess.run(
        ["go", "mod", "download", "-json", module],
        capture_output=True,
        text=True,
        check=False,
        timeout=DOWNLOAD_TIMEOUT_SECONDS,
    )
    if shown.returncode != 0:
        raise StackError(f"go could not download {module}: {shown.stdout}{shown.stderr}")
    return Path(json.loads(shown.stdout)["Dir"])
