"""The chart's probes beside the roles that they are for, started from the manifests on the real servers."""

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.helm.chart import EXAMPLES, render
from deploy.helm.tools import missing_tools, prepare
from deploy.stack import default_cache
from tests.contract.installation.chart.pod_process import PodProcess, started
from tests.contract.installation.chart.rendering import ROLES, pods
from tests.contract.vllm.certificates import Authority
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.demo.role import free_port
from tests.integration.stack import PrivateStack
from tests.support.health_checks import exit_code, of_image
from tests.support.listening import missing, model_directory
from tests.support.waiting import eventually

READY_SECONDS: Final = 120.0
REPOSITORY: Final = Path(__file__).parents[3]


def _values(stack: PrivateStack, vllm_url: str) -> dict[str, Any]:
    """Return values for this machine's servers, on top of the example for CPUs."""
    prefix = stack.new_prefix()
    bucket = stack.new_bucket()
    secret: dict[str, Any] = {"name": "given"}
    return {
        "kafka": {"bootstrapServers": stack.bootstrap_servers},
        "objectStore": {
            "endpointUrl": stack.environment["KASCRIBE_S3_ENDPOINT_URL"],
            "region": stack.environment.get("AWS_REGION", "us-east-1"),
            "bucket": bucket,
            "credentialsSecret": secret,
        },
        "vllm": {"baseUrl": vllm_url},
        "listenHost": "127.0.0.1",
        "settings": {
            "KASCRIBE_WHISPER_MODEL": str(model_directory()),
            "KASCRIBE_KAFKA_TOPIC_PREFIX": prefix,
            "KASCRIBE_KAFKA_GROUP_ID_PREFIX": prefix,
            "KASCRIBE_KAFKA_TOPIC_PARTITIONS": 3,
        },
        "enricher": {"enabled": True},
        "gateway": {"tlsSecret": "certificate"},
        "archive": {"enabled": True, "urlSecret": secret, "address": "127.0.0.1:5432"},
        "notifier": {"enabled": True, "signingSecret": secret},
        "transcriber": {"gpu": {"count": 0}},
    }


def _secrets(stack: PrivateStack, directory: Path) -> dict[str, dict[str, str]]:
    """Return what the Secrets hold that the values refer to."""
    certified = Authority(directory, "authority").certify("gateway")
    given = {
        "access-key-id": stack.environment["AWS_ACCESS_KEY_ID"],
        "secret-access-key": stack.environment["AWS_SECRET_ACCESS_KEY"],
        "url": f"sqlite:///{directory}/archive.db",
        "secret": "whsec_" + base64.b64encode(bytes(24)).decode(),
    }
    certificate = {"tls.crt": certified.certificate.read_text(), "tls.key": certified.key.read_text()}
    return {"given": given, "certificate": certificate}


@pytest.fixture(scope="module")
def roles(stack: PrivateStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, PodProcess]]:
    """Start every role as its manifest does, each on a port of its own."""
    if lacking := missing_tools():
        missing("; ".join(lacking))
    directory = tmp_path_factory.mktemp("pods")
    secrets = _secrets(stack, directory)
    with running(VllmDouble()) as vllm, ExitStack() as opened:
        values = _values(stack, vllm.base_url)
        found = {}
        for role in ROLES:
            ports = {"ports": {"health": free_port(), "gateway": free_port()}}
            file = directory / f"{role}.json"
            file.write_text(json.dumps(values | ports))
            manifests = render(prepare(default_cache()), EXAMPLES / "cpu.yaml", file)
            home = directory / role
            home.mkdir()
            pod = pods(manifests)[role]
            extra = {"PYTHONPATH": str(REPOSITORY)}
            found[role] = opened.enter_context(started(pod, secrets, directory=home, extra=extra))
        yield found


def _docker_s_view(pod: PodProcess, role: str) -> int:
    variables = {each["name"]: each["value"] for each in pod.variables if each["name"] != "KASCRIBE_CONFIG"}
    return exit_code(of_image("enricher" if role == "reconciler" else role), variables)


def _passes(pod: PodProcess, probe: str) -> bool:
    return pod.status(probe) == 200


@pytest.mark.parametrize("role", ROLES)
def test_a_started_role_passes_its_probes(roles: dict[str, PodProcess], role: str) -> None:
    """Live soon, ready when it can work, at the port and path and with the scheme of its manifest."""
    pod = roles[role]
    for probe in ("startup", "liveness", "readiness"):
        passes = partial(_passes, pod, probe)
        eventually(passes, timeout_seconds=READY_SECONDS, what=f"{role}: {probe} ({pod.directory})")
    assert pod.metrics() == 200


@pytest.mark.parametrize("role", ROLES)
def test_the_check_of_a_role_s_image_finds_it_healthy(roles: dict[str, PodProcess], role: str) -> None:
    """What Docker runs in the container, with the role's own ports and certificate."""
    assert _docker_s_view(roles[role], role) == 0


@pytest.mark.parametrize("role", ROLES)
def test_a_role_ends_within_its_grace_period_and_then_fails_its_probes(
    roles: dict[str, PodProcess], role: str
) -> None:
    """SIGTERM ends it before SIGKILL would; where nothing runs, no probe passes."""
    pod = roles[role]
    pod.end()
    assert {pod.status(probe) for probe in ("startup", "liveness", "readiness")} == {None}
    assert _docker_s_view(pod, role) != 0
