"""Every line of every role is JSON, and none shows a secret or what was said: real jobs, then real outages."""

import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Producer

from kascribe.process.log_events.catalogue import EVENTS
from models.selftest import SELFTEST_MODEL_NAME, clips
from schemas.kafka.topics import Topics
from tests.contract.notifier.webhook_receiver import SECRET
from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.contract.vllm.vllm_faults import Fault
from tests.demo.role import RoleProcess, free_port
from tests.flow.gateway import Client
from tests.flow.mock_cluster import MockCluster
from tests.support.object_store import running_object_store
from tests.support.waiting import eventually

TOPICS: Final = Topics()
ROLES: Final = ("transcriber", "enricher", "notifier", "archive", "gateway")
SECONDS: Final = 300.0
"""For five processes that start at once, on a machine that does much else."""
PROMPT: Final = "planted instruction: summarise the merger"
ANSWER: Final = "planted answer about the merger"
SAID: Final = "planted words of a transcript"
PLANTED: Final = {
    "bucket": "planted/bucket+secret=",
    "session": "planted-session-token",
    "model": "planted-model-key",
    "query": "planted-query-of-a-request",
    "hook": "planted-query-of-a-webhook",
    "bearer": "planted-bearer-0123456789",
    "webhooks": SECRET,
}


class System:
    """The roles as child processes with debug lines, their environment and their logs."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.gateway = Client(free_port())
        self.environment = {**environment, "KASCRIBE_GATEWAY_PORT": str(self.gateway.port)}
        self.roles = {role: RoleProcess(role, self.environment, log=directory / f"{role}.log") for role in ROLES}

    def lines(self, role: str) -> list[dict[str, Any]]:
        """Read the output of a role so far, each whole line of which must be JSON."""
        text = self.roles[role].log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait_for(self, role: str, event: str) -> dict[str, Any]:
        """Wait for a line and return the first."""

        def found() -> dict[str, Any] | None:
            lines = self.lines(role)
            seen = next((line for line in lines if line["event"] == event), None)
            assert seen or self.roles[role].exit_code is None, lines[-1]
            return seen

        return eventually(
            found,
            timeout_seconds=SECONDS,
            interval_seconds=0.2,
            what=f"the line {event!r} of the {role}",
        )

    def wait_for_library(self, role: str) -> None:
        """Wait for a line of the Kafka client."""
        eventually(
            lambda: any(line.get("logger", "").startswith("kafka.") for line in self.lines(role)),
            timeout_seconds=SECONDS,
            interval_seconds=0.2,
            what=f"a line of the {role}'s Kafka client",
        )


@pytest.fixture
def double() -> Iterator[VllmDouble]:
    """Run a language model server whose first answers are wrong in every way that is repeated."""
    faults = deque([Fault.ERROR, Fault.WRONG_SHAPE])
    with running(VllmDouble(context_tokens=4_096, text=ANSWER, api_key=PLANTED["model"], faults=faults)) as server:
        yield server


def _environment(broker: MockCluster, endpoint_url: str, bucket: str, double: VllmDouble) -> dict[str, str]:
    return {
        "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "KASCRIBE_KAFKA_TOPIC_PARTITIONS": "1",
        "KASCRIBE_S3_ENDPOINT_URL": endpoint_url,
        "KASCRIBE_S3_BUCKET": bucket,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": PLANTED["bucket"],
        "AWS_SESSION_TOKEN": PLANTED["session"],
        "KASCRIBE_WHISPER_MODEL": SELFTEST_MODEL_NAME,
        "KASCRIBE_VLLM_BASE_URL": double.base_url,
        "KASCRIBE_VLLM_API_KEY": PLANTED["model"],
        "KASCRIBE_WEBHOOKS_SECRET": PLANTED["webhooks"],
        "KASCRIBE_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8",
        "KASCRIBE_WEBHOOKS_HTTP_HOSTS": "127.0.0.1",
        "KASCRIBE_RUNTIME_DRAIN_TIMEOUT_SECONDS": "4",
        "KASCRIBE_LOG_FORMAT": "json",
        "KASCRIBE_LOG_LEVEL": "debug",
    }


def _run_jobs(system: System) -> str:
    """Transcribe and process a recording, send what is refused, and return the text."""
    clip = next(clip for clip in clips() if clip.text)
    headers = {"Authorization": f"Bearer {PLANTED['bearer']}"}
    answer = system.gateway.post(
        f"/transcribe-and-process?token={PLANTED['query']}",
        clip.path.read_bytes(),
        headers=headers,
        instruction=PROMPT,
        profiles="title",
    )
    assert (answer.status, answer.body["processed_text"]) == (200, ANSWER), answer.body
    hook = f"http://127.0.0.1:{free_port()}/in?token={PLANTED['hook']}"
    job = system.gateway.post("/v1/jobs", clip.path.read_bytes(), headers=headers, webhook_url=hook)
    assert job.status == 202, job.body
    assert system.gateway.post("/transcribe", b"no audio", instruction=PROMPT, task=SAID).status >= 400
    return str(answer.body["text"])


def _send_broken_records(broker: MockCluster) -> None:
    """Publish records that no role can read, with words in every place."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    for topic in (*TOPICS.answers, TOPICS.references, TOPICS.enrich_requests, TOPICS.cancellations):
        for value in (
            SAID,
            json.dumps({"event_id": [SAID], "text": {"a": SAID}, "enrich": {"instruction": [PROMPT]}}),
        ):
            producer.produce(topic, value, "key", headers=[("traceparent", SAID.encode())])
    assert producer.flush(20) == 0


def test_every_line_of_every_role_is_json_and_shows_no_secret_and_nothing_that_was_said(
    broker: MockCluster, double: VllmDouble, tmp_path: Path
) -> None:
    """At the level debug, while jobs succeed and fail, without the bucket, without the broker, and at the end."""
    with ExitStack() as outage:
        store = outage.enter_context(running_object_store())
        environment = _environment(broker, store.endpoint_url, store.settings().bucket, double)
        environment["KASCRIBE_ARCHIVE_URL"] = f"sqlite:///{tmp_path / 'archive.db'}"
        system = System(tmp_path, environment)
        with ExitStack() as processes:
            for process in system.roles.values():
                processes.enter_context(process)
            system.wait_for("gateway", "gateway listens")
            for consumer in ROLES[:-1]:
                system.wait_for(consumer, "partitions assigned")
            said = _run_jobs(system)
            _send_broken_records(broker)
            system.wait_for("transcriber", "dead letter")
            retry = system.wait_for("notifier", "retry")
            system.wait_for("enricher", "dead letter")
            system.wait_for("archive", "record is not archived")
            outage.close()
            system.wait_for("transcriber", "bucket cannot be used")
            assert system.gateway.status("GET", "/health/ready") == 503
            broker.stop_broker()
            for role in ROLES:
                system.wait_for_library(role)
            for process in system.roles.values():  # all at once: without a broker each drains to its limit
                os.kill(process.pid, signal.SIGTERM)
    assert retry.keys() >= {"reason", "due_at", "next_attempt", "job_id", "trace_id", "record", "attempt"}
    whole = {role: process.log.read_text(encoding="utf-8") for role, process in system.roles.items()}
    for role, text in whole.items():
        for line in map(json.loads, text.splitlines()):
            assert "logger" in line or line["event"] in EVENTS, (role, line)
        for secret in (*PLANTED.values(), PROMPT, ANSWER, SAID, said):
            assert secret not in text, (role, secret)
            assert json.dumps(secret)[1:-1] not in text, (role, secret)
    refused = [line for line in system.lines("gateway") if line["event"] == "request" and "reason" in line]
    assert {line["reason"] for line in refused}
    assert system.wait_for("enricher", "request to a language model server failed; it is sent again")


def test_a_reconciler_writes_json_beside_its_reports(tmp_path: Path) -> None:
    """Its reports are on standard output, for people; its log is on standard error."""
    environment = {
        **os.environ,
        "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "KASCRIBE_S3_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "KASCRIBE_SERVER_PORT": "0",
        "KASCRIBE_LOG_FORMAT": "json",
    }
    log = tmp_path / "stderr"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "kascribe", "reconcile", "--every", "1s"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        eventually(lambda: "not everything could" in log.read_text(), timeout_seconds=SECONDS, what="its line")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert all(json.loads(line)["event"] in EVENTS for line in log.read_text().splitlines())
