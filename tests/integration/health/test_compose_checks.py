"""The compose file's health checks of Kafka, MinIO and Prometheus, beside the real servers: up, and not there."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from deploy.monitoring.server import Prometheus
from deploy.stack import default_cache, prepare
from tests.integration.health.check_programs import kafka_tools, mc
from tests.integration.stack import PrivateStack
from tests.support.health_checks import DEPLOY, of_image_of_minio, of_service
from tests.support.listening import missing

NOBODY: Final = "127.0.0.1:9"
UP_SECONDS: Final = 60.0
"""For a check that is to succeed: each starts a program, on a machine that may be busy."""

DOWN_SECONDS: Final = 15.0
"""As Docker, which kills a check that goes on for longer than its timeout, and counts it as failed."""


def is_healthy(command: Sequence[str | Path], variables: Mapping[str, str], *, seconds: float) -> bool:
    """Return what Docker makes of a check: only status 0 in time is healthy."""
    environment = {"PATH": os.environ["PATH"], **variables}
    try:
        made = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return made.returncode == 0


def test_kafka_s_check_requests_the_broker_itself(stack: PrivateStack) -> None:
    """The image's script starts this class with the same arguments; a port that is closed is not healthy."""
    script, option, address = of_service("kafka")
    assert (script, option) == ("/opt/kafka/bin/kafka-broker-api-versions.sh", "--bootstrap-server")
    assert f"INSIDE://:{address.partition(':')[2]}" in (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    program: list[str | Path] = [
        prepare(default_cache()).java,
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{kafka_tools()}/*",
    ]
    command: list[str | Path] = [*program, "org.apache.kafka.tools.BrokerApiVersionsCommand", option]
    assert is_healthy([*command, stack.bootstrap_servers], {}, seconds=UP_SECONDS)
    assert not is_healthy([*command, NOBODY], {}, seconds=DOWN_SECONDS)


def test_minio_s_check_requests_the_server_itself(stack: PrivateStack, tmp_path: Path) -> None:
    """MinIO's client knows the server in its own container as local; one that does not answer is not healthy."""
    name, *arguments = of_image_of_minio()
    assert name == "mc"
    settings = {"MC_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path)}
    store = stack.environment["KASCRIBE_S3_ENDPOINT_URL"]
    command: list[str | Path] = [mc(), *arguments]
    assert is_healthy(command, {**settings, "MC_HOST_local": store}, seconds=UP_SECONDS)
    assert not is_healthy(command, {**settings, "MC_HOST_local": f"http://{NOBODY}"}, seconds=DOWN_SECONDS)
    listed = subprocess.run(
        [mc(), "alias", "list", "local"],
        env=settings,
        capture_output=True,
        text=True,
        check=True,
        timeout=UP_SECONDS,
    )
    assert "http://localhost:9000" in listed.stdout


@pytest.mark.parametrize("served", [True, False])
def test_prometheus_s_check_requests_its_readiness(tmp_path: Path, served: bool) -> None:
    """With a program that its image has."""
    for program in ("prometheus", "wget"):
        if shutil.which(program) is None:
            missing(f"{program} is not on PATH (Debian: {program})")
    *command, address = of_service("prometheus")
    assert address == "http://127.0.0.1:9090/-/ready"
    with Prometheus(tmp_path / "prometheus", {}, rules="groups: []") as server:
        base_url = server.base_url if served else f"http://{NOBODY}"
        checked = address.replace("http://127.0.0.1:9090", base_url)
        assert is_healthy([*command, checked], {}, seconds=UP_SECONDS) is served
