"""Compose: limits of every service, GPUs and their memory, health checks, and the profile that monitors it all."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from schemas.settings import GatewaySettings, ServerSettings
from tests.contract.installation.compose_files import DEPLOY, REQUIRED, ROLES, Resolve
from tests.support.listening import missing

ONCE: Final = {"topics", "bucket"}
WITHOUT_A_SHELL: Final = {"collector"}
"""Its image holds the program alone, and no health check can run in it."""


def test_every_service_is_limited(project: dict[str, Any]) -> None:
    """Memory, processes, open files and the log: no service takes the machine from the others."""
    for name, service in project["services"].items():
        assert int(service["mem_limit"]) >= 512 * 1024**2, name
        assert service["pids_limit"] == 4096, name
        assert service["ulimits"]["nofile"] == {"soft": 65_536, "hard": 65_536}, name
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "50m", "max-file": "5"}}, name


def test_a_variable_changes_a_limit_of_memory(resolve: Resolve) -> None:
    """Machines differ: a smaller transcriber, a larger language model."""
    variables = {**REQUIRED, "TRANSCRIBER_MEMORY": "12g", "VLLM_MEMORY": "128g"}
    services = json.loads(resolve("compose.yaml", variables=variables, profile="vllm").stdout)["services"]
    assert int(services["transcriber"]["mem_limit"]) == 12 * 1024**3
    assert int(services["vllm"]["mem_limit"]) == 128 * 1024**3


def test_the_language_model_s_share_of_a_gpu_is_a_variable(resolve: Resolve, project: dict[str, Any]) -> None:
    """On one GPU for both, vLLM leaves the transcriber its memory; on two, it takes both."""
    options = project["services"]["vllm"]["command"]
    assert {"--gpu-memory-utilization=0.9", "--tensor-parallel-size=1", "--max-model-len=auto"} <= set(options)
    shared = {"VLLM_GPU": "0", "VLLM_GPU_MEMORY_SHARE": "0.6", "VLLM_TENSOR_PARALLEL": "2", "VLLM_CONTEXT": "8192"}
    vllm = json.loads(resolve("compose.yaml", variables=REQUIRED | shared, profile="vllm").stdout)["services"][
        "vllm"
    ]
    assert vllm["command"][-3:] == [
        "--gpu-memory-utilization=0.6",
        "--tensor-parallel-size=2",
        "--max-model-len=8192",
    ]


def test_a_second_transcriber_has_a_gpu_of_its_own_and_the_same_models(resolve: Resolve) -> None:
    """One further file; everything else is as for the first one."""
    resolved = resolve("compose.yaml", "compose.second-gpu.yaml", variables=REQUIRED)
    assert resolved.returncode == 0, resolved.stderr
    services = json.loads(resolved.stdout)["services"]
    first, second = services["transcriber"], services["transcriber-1"]
    devices = [each["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] for each in (first, second)]
    assert devices == [["0"], ["1"]]
    for name in ("image", "environment", "volumes", "read_only", "mem_limit", "logging", "depends_on"):
        assert first[name] == second[name], name


def test_every_service_that_goes_on_has_a_health_check(project: dict[str, Any]) -> None:
    """Of its own, or of the image that is built for it."""
    built = (DEPLOY / "Dockerfile").read_text(encoding="utf-8") + (DEPLOY / "minio/Dockerfile").read_text("utf-8")
    assert built.count("HEALTHCHECK") == 3
    ours = {name for name, service in project["services"].items() if service["image"].startswith("kascribe-")}
    own = {name for name, service in project["services"].items() if "healthcheck" in service}
    assert ours >= {*ROLES, "minio"}
    assert set(project["services"]) - ONCE - WITHOUT_A_SHELL == (ours - ONCE) | own


def test_every_mounted_file_is_in_the_repository(project: dict[str, Any]) -> None:
    """Docker would make an empty folder of one that is not there."""
    mounts = [
        Path(volume["source"])
        for service in project["services"].values()
        for volume in service.get("volumes", [])
        if volume["type"] == "bind"
    ]
    assert len(mounts) == 8
    assert [path for path in mounts if not path.exists()] == []


def test_what_monitors_has_no_rights_and_no_password(project: dict[str, Any]) -> None:
    """Nobody can change what Grafana shows, and neither sends reports to its makers."""
    for name in ("prometheus", "grafana", "collector"):
        service = project["services"][name]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    grafana = project["services"]["grafana"]["environment"]
    assert grafana["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert grafana["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert {grafana[name] for name in grafana if name.startswith("GF_ANALYTICS_")} == {"false"}


def test_prometheus_scrapes_every_role_at_its_port(project: dict[str, Any], tmp_path: Path) -> None:
    """One job for each role, as the alert rules expect, under the names of the compose file; promtool agrees."""
    configured = yaml.safe_load((DEPLOY / "compose" / "prometheus.yaml").read_text(encoding="utf-8"))
    found = {each["job_name"]: each["dns_sd_configs"][0] for each in configured["scrape_configs"]}
    assert set(found) == {*ROLES, "vllm"}
    for job, target in found.items():
        assert target["names"][0] == job
        assert job in project["services"]
        if job != "vllm":
            assert target["port"] == (GatewaySettings().port if job == "gateway" else ServerSettings().port)
    promtool = shutil.which("promtool") or missing("promtool is not on PATH (Debian: prometheus)")
    rules = DEPLOY / "monitoring" / "alerts.yaml"
    (tmp_path / "prometheus.yaml").write_text(json.dumps(configured | {"rule_files": [str(rules)]}))
    checked = subprocess.run(
        [promtool, "check", "config", tmp_path / "prometheus.yaml"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert re.search(r"SUCCESS: \d+ rules found", checked.stdout)


@pytest.mark.parametrize("name", ["datasources", "dashboards"])
def test_grafana_is_given_its_source_and_dashboards(project: dict[str, Any], name: str) -> None:
    """The files are where Grafana looks for them, and name what is there."""
    mounts = {volume["target"]: volume["source"] for volume in project["services"]["grafana"]["volumes"]}
    provisioned = yaml.safe_load(Path(mounts[f"/etc/grafana/provisioning/{name}/kascribe.yaml"]).read_text())
    if name == "datasources":
        assert provisioned["datasources"][0]["url"] == "http://prometheus:9090"
    else:
        folder = provisioned["providers"][0]["options"]["path"]
        assert len(list(Path(mounts[folder]).glob("*.json"))) >= 5
