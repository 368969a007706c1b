"""What the chart promises of every pod: time to drain, limits, no privileges, secrets by reference."""

import re
from pathlib import Path
from typing import Final

import pytest

from kascribe.wiring.gateway import CLOSE_SECONDS
from producers.gateway.server import FINISH_SECONDS, REFUSE_SECONDS
from schemas.roles import Role
from schemas.settings import RuntimeSettings
from tests.contract.installation.chart.rendering import (
    CPU,
    GPU,
    OFFLINE,
    ROLES,
    Chart,
    container,
    of_kind,
    pods,
    texts,
    variables,
)

EXAMPLES: Final = (CPU, GPU, OFFLINE)
DRAIN: Final = "KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS"
WRITABLE: Final = {"/tmp", "/var/lib/kascribe", "/var/cache/kascribe"}
DOCKERFILE: Final = (Path(__file__).parents[4] / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def grace_seconds(chart: Chart, role: str, *sets: str) -> int:
    """Return the time between SIGTERM (or a gateway's hook before it) and SIGKILL."""
    return int(pods(chart.manifests(GPU, *sets))[role]["spec"]["terminationGracePeriodSeconds"])


@pytest.mark.parametrize("drain_seconds", [0, 7.5, 30, 600])
def test_a_role_is_killed_only_after_its_drain(chart: Chart, drain_seconds: float) -> None:
    """The grace period follows the setting, for all roles or one, and has room for what follows the drain."""
    everywhere = f"settings.{DRAIN}={drain_seconds}"
    for role in set(Role) - {Role.GATEWAY}:
        assert grace_seconds(chart, role, everywhere) >= drain_seconds + 10
    assert grace_seconds(chart, "transcriber", everywhere, f"transcriber.settings.{DRAIN}=900") >= 910


def test_the_grace_period_follows_the_default_too(chart: Chart) -> None:
    """A setting that is not set is the default of the code."""
    manifests = chart.manifests(CPU)
    for role in ("transcriber", "reconciler"):
        assert float(variables(manifests, role)[DRAIN]) == RuntimeSettings().drain_timeout_seconds
        grace = pods(manifests)[role]["spec"]["terminationGracePeriodSeconds"]
        assert grace > RuntimeSettings().drain_timeout_seconds


def test_a_gateway_has_the_time_to_answer_what_waits(chart: Chart) -> None:
    """It serves on until no balancer sends requests, and then ends by limits of its own."""
    most = FINISH_SECONDS + REFUSE_SECONDS + CLOSE_SECONDS
    assert grace_seconds(chart, "gateway", "gateway.stopDelaySeconds=40") >= 40 + most + 5
    hook = container(chart.manifests(GPU, "gateway.stopDelaySeconds=40"), "gateway")["lifecycle"]["preStop"]
    assert hook == {"exec": {"command": ["sleep", "40"]}}


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_no_pod_has_privileges(chart: Chart, values: Path) -> None:
    """Kubernetes' restricted policy holds, the root is read-only, and no pod can speak to the API server."""
    for role, pod in pods(chart.manifests(values)).items():
        spec, (only,) = pod["spec"], pod["spec"]["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), role
        assert {next(iter(set(volume) - {"name"})) for volume in spec["volumes"]} <= {
            "emptyDir", "secret", "persistentVolumeClaim",
        }  # fmt: skip


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_every_container_has_limits(chart: Chart, values: Path) -> None:
    """Memory, files on the node's disk, and every volume on it; the disk's limit holds the volumes."""
    for role, pod in pods(chart.manifests(values)).items():
        (only,) = pod["spec"]["containers"]
        limits = only["resources"]["limits"]
        assert {"memory", "ephemeral-storage"} <= set(limits), role
        folders = [volume["emptyDir"]["sizeLimit"] for volume in pod["spec"]["volumes"] if "emptyDir" in volume]
        assert len(folders) >= 2, role
        mebibytes = [int(size[:-2]) * (1024 if size.endswith("Gi") else 1) for size in folders]
        assert sum(mebibytes) <= int(limits["ephemeral-storage"].removesuffix("Gi")) * 1024, role


@pytest.mark.parametrize("values", EXAMPLES, ids=lambda path: path.stem)
def test_roles_may_write_where_the_image_writes_and_nowhere_else(chart: Chart, values: Path) -> None:
    """Scratch files, the home, and the transcriber's cache; secrets are mounted read-only."""
    for pod in pods(chart.manifests(values)).values():
        mounts = pod["spec"]["containers"][0]["volumeMounts"]
        writable = {mount["mountPath"] for mount in mounts if not mount.get("readOnly")}
        assert {"/tmp", "/var/lib/kascribe"} <= writable <= WRITABLE
        assert all(folder in DOCKERFILE for folder in writable - {"/tmp"})


def test_no_manifest_holds_a_secret(chart: Chart) -> None:
    """No Secret is rendered; credentials are references, and each secret file is of a Secret's key."""
    for values in EXAMPLES:
        manifests = chart.manifests(values)
        assert of_kind(manifests, "Secret") == {}
        for role in pods(manifests):
            for each in container(manifests, role)["env"]:
                if re.search(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|API_KEY|ARCHIVE_URL", each["name"]):
                    assert "valueFrom" in each or each["name"].endswith("_FILE"), each["name"]


def test_every_file_that_a_role_is_told_of_is_mounted(chart: Chart) -> None:
    """Each path in a variable is a key of a Secret that is mounted there, for every role and example."""
    seen = set()
    for values in EXAMPLES:
        manifests = chart.manifests(values)
        for role, pod in pods(manifests).items():
            secrets = {each["name"]: each["secret"] for each in pod["spec"]["volumes"] if "secret" in each}
            mounted = {
                f"{mount['mountPath']}/{item['path']}"
                for mount in container(manifests, role)["volumeMounts"]
                if mount["name"] in secrets
                for item in secrets[mount["name"]]["items"]
            }
            told = {value for value in texts(variables(manifests, role)) if value.startswith("/etc/kascribe/")}
            assert told == mounted, role
            seen |= told
    assert len(seen) >= 10


def test_the_gpu_is_the_transcriber_s_alone(chart: Chart) -> None:
    """One device, of the resource that the node announces; without one the model runs on the CPU."""
    on_gpu, on_cpu = chart.manifests(GPU), chart.manifests(CPU)
    for role in pods(on_gpu):
        limits = container(on_gpu, role)["resources"]["limits"]
        assert limits.get("nvidia.com/gpu") == ("1" if role == "transcriber" else None)
    assert variables(on_gpu, "transcriber")["KASCRIBE_WHISPER_DEVICE"] == "cuda"
    assert variables(on_cpu, "transcriber")["KASCRIBE_WHISPER_DEVICE"] == "cpu"
    assert "nvidia.com/gpu" not in container(on_cpu, "transcriber")["resources"]["limits"]
    shared = chart.manifests(GPU, 'transcriber.gpu={"resource":"nvidia.com/mig-1g.10gb","count":2}')
    assert container(shared, "transcriber")["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == "2"


def test_upgrades_replace_one_consumer_after_the_other_in_place(chart: Chart) -> None:
    """A further transcriber would need a GPU and partitions; gateways are replaced without a gap."""
    for role, deployment in of_kind(chart.manifests(GPU), "Deployment").items():
        strategy = deployment["spec"]["strategy"]
        if role == "reconciler":
            assert strategy == {"type": "Recreate"}
        else:
            surge, away = (1, 0) if role == "gateway" else (0, 1)
            assert strategy["rollingUpdate"] == {"maxSurge": surge, "maxUnavailable": away}


def test_a_node_can_be_drained_at_any_time(chart: Chart) -> None:
    """Each role has a budget for its own pods: one at a time, and none is kept that is not ready anyway."""
    manifests = chart.manifests(GPU)
    budgets = of_kind(manifests, "PodDisruptionBudget")
    assert set(budgets) == set(ROLES)
    for role, budget in budgets.items():
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        labels = pods(manifests)[role]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_replicas_spread_over_zones_and_nodes(chart: Chart) -> None:
    """As far as there are any: one zone or node is no reason not to run."""
    for pod in pods(chart.manifests(GPU)).values():
        constraints = pod["spec"]["topologySpreadConstraints"]
        assert [each["topologyKey"] for each in constraints] == [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]
        for each in constraints:
            assert each["whenUnsatisfiable"] == "ScheduleAnyway"
            assert each["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_images_are_those_that_the_dockerfile_builds(chart: Chart) -> None:
    """One for each role, by tag or by digest; the entry point takes the role as its arguments."""
    assert 'ENTRYPOINT ["kascribe"]' in DOCKERFILE
    for values in EXAMPLES:
        manifests = chart.manifests(values)
        for role in pods(manifests):
            image = container(manifests, role)["image"]
            target = re.fullmatch(
                r"registry\.example:5000/speech/kascribe-(\w+)(:0\.1\.0|@sha256:[0-9a-f]{64})", image
            )
            assert target is not None, image
            assert f" AS {target[1]}\n" in DOCKERFILE
            arguments = container(manifests, role)["args"]
            assert arguments[0] == "reconcile" if role == "reconciler" else arguments == ["run", role]
