"""The compose file is valid for Docker's own loader and agrees with the code, without a Docker daemon."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.stack.cache import KAFKA_VERSION, MINIO_VERSION
from schemas.kafka.topics import Topics
from schemas.settings import GatewaySettings, KafkaSettings, RuntimeSettings, ServerSettings
from schemas.settings.catalogue import by_environment_name
from tests.contract.installation.compose_files import DEPLOY, MONITORING, REQUIRED, ROLES, Resolve, environments
from tests.support.listening import missing


@pytest.mark.parametrize("unset", REQUIRED)
def test_a_password_that_is_not_set_is_named(resolve: Resolve, unset: str) -> None:
    """There is no default password: without one nothing starts, and the message names the variable."""
    refused = resolve("compose.yaml", variables={name: REQUIRED[name] for name in REQUIRED if name != unset})
    assert refused.returncode == 1
    assert f"required variable {unset} is missing a value: set it in deploy/.env" in refused.stderr


def test_no_secret_is_written_in_the_file(project: dict[str, Any]) -> None:
    """Whatever is called a password, a secret or a token comes from a variable."""
    secrets = {
        value
        for environment in environments(project)
        for name, value in environment.items()
        if re.search("PASSWORD|SECRET|TOKEN", name)
    }
    assert secrets <= {*REQUIRED.values(), ""}


def test_every_port_is_published_on_loopback_only(project: dict[str, Any]) -> None:
    """No host on the network reaches a service unless the operator allows it."""
    ports = [port for service in project["services"].values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert len(ports) == 6


def gpus(project: dict[str, Any], service: str) -> list[dict[str, Any]]:
    """Return what a service reserves."""
    return list(project["services"][service]["deploy"]["resources"]["reservations"]["devices"])


def test_each_gpu_service_has_a_gpu_of_its_own_unless_set_otherwise(
    resolve: Resolve, project: dict[str, Any]
) -> None:
    """Two that share one by accident fail for want of its memory; with one GPU the operator sets a variable."""
    reserved = {"driver": "nvidia", "capabilities": ["gpu"]}
    assert gpus(project, "transcriber") == [{**reserved, "device_ids": ["0"]}]
    assert gpus(project, "vllm") == [{**reserved, "device_ids": ["1"]}]
    variables = {**REQUIRED, "TRANSCRIBER_GPU": "GPU-5c1e", "VLLM_GPU": "0"}
    moved = json.loads(resolve("compose.yaml", variables=variables, profile="vllm").stdout)
    assert [gpus(moved, name)[0]["device_ids"] for name in ("transcriber", "vllm")] == [["GPU-5c1e"], ["0"]]


def test_the_cpu_file_lets_go_of_the_transcriber_s_gpu(resolve: Resolve) -> None:
    """One override runs the same file on a machine without a GPU."""
    without = json.loads(resolve("compose.yaml", "compose.cpu.yaml", variables=REQUIRED).stdout)
    assert "deploy" not in without["services"]["transcriber"]
    assert without["services"]["transcriber"]["environment"]["KASCRIBE_WHISPER_DEVICE"] == "cpu"


def test_what_runs_once_is_waited_for_and_not_missed(project: dict[str, Any]) -> None:
    """`up --wait` takes a container that ended for a failure, except where a service depends on its success."""
    once = {name for name, service in project["services"].items() if service.get("restart") == "on-failure"}
    awaited = {
        needed
        for service in project["services"].values()
        for needed, condition in service.get("depends_on", {}).items()
        if condition["condition"] == "service_completed_successfully"
    }
    assert once == awaited == {"topics", "bucket"}


def test_what_not_everyone_needs_starts_only_on_request(resolve: Resolve, project: dict[str, Any]) -> None:
    """Most operators have a language model and monitoring of their own, or none; webhooks need a secret."""
    plain = json.loads(resolve("compose.yaml", variables=REQUIRED).stdout)
    assert set(project["services"]) - set(plain["services"]) == {"vllm", "notifier", *MONITORING}


def test_archive_and_gateway_share_one_database(resolve: Resolve, project: dict[str, Any]) -> None:
    """A SQLite file in a volume that both may write beside, or the PostgreSQL server that a variable names."""
    for variables, address in (
        (REQUIRED, "sqlite:////var/lib/kascribe-archive/archive.db"),
        ({**REQUIRED, "KASCRIBE_ARCHIVE_URL": "postgresql://db/archive"}, "postgresql://db/archive"),
    ):
        resolved = json.loads(resolve("compose.yaml", variables=variables).stdout)
        found = [
            environment["KASCRIBE_ARCHIVE_URL"] for environment in environments(resolved, "archive", "gateway")
        ]
        assert found == [address, address]
    folder = "/var/lib/kascribe-archive"
    for role in ("archive", "gateway"):
        volumes = {volume["target"]: volume for volume in project["services"][role]["volumes"]}
        assert (volumes[folder]["source"], volumes[folder].get("read_only", False)) == ("archive", False)
    assert folder in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_roles_get_only_settings_that_exist(project: dict[str, Any]) -> None:
    """A name that is no setting stops a role at its start; a renamed one is found here."""
    for environment in environments(project, *ROLES):
        for name in environment:
            assert not name.startswith("KASCRIBE_") or name in by_environment_name(), name


def test_roles_may_drain_before_docker_kills_them(project: dict[str, Any]) -> None:
    """The grace period is longer than the time a role takes for what is in flight."""
    for role in ROLES:
        grace = re.fullmatch(r"(\d+)s", project["services"][role]["stop_grace_period"])
        assert grace is not None
        assert int(grace[1]) > RuntimeSettings().drain_timeout_seconds


def test_roles_run_without_privileges(project: dict[str, Any]) -> None:
    """What decodes media from strangers gets no more rights than it needs."""
    for role in ROLES:
        service = project["services"][role]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert any(volume["target"] == "/tmp" for volume in service["volumes"])


def test_every_new_object_goes_to_both_notification_targets(project: dict[str, Any]) -> None:
    """One target is fast, the other survives an outage of Kafka; the bucket's script names both."""
    minio = next(environments(project, "minio"))
    prefix = "MINIO_NOTIFY_KAFKA_ENABLE_"
    targets = {name.removeprefix(prefix) for name in minio if name.startswith(prefix)}
    script = (DEPLOY / "compose" / "create-bucket.sh").read_text(encoding="utf-8")
    assert f"for target in {' '.join(sorted(targets))};" in script
    assert {minio[f"MINIO_NOTIFY_KAFKA_TOPIC_{target}"] for target in targets} == {Topics().objects}
    assert [target for target in targets if f"MINIO_NOTIFY_KAFKA_QUEUE_DIR_{target}" in minio] == ["QUEUED"]


def test_topics_and_partitions_are_those_of_the_code(project: dict[str, Any]) -> None:
    """The topics that are created before the roles start are the ones that they use."""
    script = (DEPLOY / "compose" / "create-topics.sh").read_text(encoding="utf-8")
    names = re.search(r"for name in ([a-z -]+);", script)
    assert names is not None
    assert {f"audio.{name}" for name in names[1].split()} == set(Topics().all)
    assert next(environments(project, "topics"))["PARTITIONS"] == str(KafkaSettings().topic_partitions)


def test_compose_runs_the_versions_that_the_tests_run(project: dict[str, Any]) -> None:
    """The versions that are tested on loopback are those that containers run."""
    assert project["services"]["kafka"]["image"].partition("@")[0] == f"apache/kafka:{KAFKA_VERSION}"
    assert f"MINIO_VERSION={MINIO_VERSION}" in (DEPLOY / "minio" / "Dockerfile").read_text(encoding="utf-8")


def test_the_image_serves_where_the_settings_say() -> None:
    """Health and the gateway listen on their default ports, which the image declares and checks."""
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert f"EXPOSE {ServerSettings().port}" in dockerfile
    assert f"or {ServerSettings().port})" in dockerfile
    assert f"EXPOSE {GatewaySettings().port}" in dockerfile
    assert f"or {GatewaySettings().port})" in dockerfile


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "minio/Dockerfile"])
def test_dockerfiles_pass_the_linter(dockerfile: str) -> None:
    """The linter comes with the development requirements; without it the test is skipped, and fails in CI."""
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    hadolint = hadolint or missing("hadolint is not installed: make setup")
    checked = subprocess.run(
        [hadolint, "--no-color", DEPLOY / dockerfile], capture_output=True, text=True, check=False, timeout=60
    )
    assert checked.returncode == 0, checked.stdout
