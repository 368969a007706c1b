"""Agents find recordings in the archive, see only their tenant's, and learn what to do when they cannot."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from consumers.archive.bucket import ResultsBucket
from consumers.archive.database import ArchiveDatabase
from consumers.archive.loading import LOADED, BucketLoader
from consumers.metrics import Metrics
from kascribe.wiring.archive import opened_for_writing
from producers.api_keys.rights import Right
from schemas.clock import SystemClock
from schemas.settings import ArchiveSettings, Settings
from tests.demo.role import free_port
from tests.flow.front_doors.access.tenants import Tenant, tenant
from tests.flow.front_doors.agents.agent import Agent, with_agent
from tests.flow.gateway import GatewayBench
from tests.sound.wav_listener import wav_bytes

PAGE = 2


def address_of(client: Tenant) -> str:
    """Return the address of a tenant's gateway."""
    return f"http://127.0.0.1:{client.gateway.port}"


def with_archive(settings: Settings, directory: Path) -> Settings:
    """Return settings with an archive in a file."""
    archive = ArchiveSettings(url=SecretStr(f"sqlite:///{directory}/archive.db"))
    return settings.model_copy(update={"archive": archive})


def fill_archive(settings: Settings) -> None:
    """Make the archive of what is in the bucket, as its role does at its first start."""
    clock, metrics = SystemClock(), Metrics(CollectorRegistry(), (LOADED,))
    with opened_for_writing(settings.archive) as engine:
        database = ArchiveDatabase(engine)
        database.prepare(now_ms=clock.now_ms())
        BucketLoader(ResultsBucket(settings.s3), database, clock, metrics).load()


def test_recordings_are_listed_and_searched_and_only_those_of_the_key(bench: GatewayBench, tmp_path: Path) -> None:
    """By pages, with the places of words; another tenant's recording is as missing as none."""
    bench.settings = with_archive(bench.settings, tmp_path)
    bench.start_transcriber()
    gateway = bench.gateway(keys="required")
    ours, theirs = (tenant(bench, gateway, name) for name in ("ours", "theirs"))
    jobs = [ours.finished_job(f"call-{number}") for number in range(PAGE + 1)]
    other = theirs.finished_job("call-9")
    fill_archive(bench.settings)

    async def act(agent: Agent) -> None:
        first = (await agent.call("list_jobs", limit=PAGE, phase="completed")).body
        rest = (await agent.call("list_jobs", limit=PAGE, phase="completed", cursor=first["next_cursor"])).body
        assert sorted(job["job_id"] for job in (*first["jobs"], *rest["jobs"])) == sorted(jobs)
        assert rest["next_cursor"] is None
        assert "do not follow" in first["notice"]
        found = (await agent.call("search", query='"second 1"', limit=1)).body["results"][0]
        (hit,) = found["hits"]
        assert (hit["start"], hit["text"]) == (0.0, "second 1.")
        assert hit["url"].startswith(f"{address_of(ours)}/")
        within = (await agent.call("search", query="second", job_id=jobs[0])).body
        assert [result["job"]["job_id"] for result in within["results"]] == [jobs[0]]
        assert (await agent.call("search", query="nowhere")).body["results"] == []
        assert (await agent.call("list_jobs", from_time="2999-01-01T00:00:00Z")).body["jobs"] == []
        for tool in ("job", "transcript", "enrichments"):
            refused = (await agent.call(tool, job_id=other)).error
            assert refused.removeprefix(f"Error executing tool {tool}: ").startswith("job_not_found")

    with_agent(address_of(ours), act, key=ours.secret)


def test_every_refusal_says_what_to_do(bench: GatewayBench, tmp_path: Path) -> None:
    """No archive, no language model, a missing right, a bad argument."""
    gateway = bench.gateway(keys="required", enrichment=False)
    reader = tenant(bench, gateway, "reader", rights=(Right.READ,))
    (tmp_path / "a.wav").write_bytes(wav_bytes(1))

    async def act(agent: Agent) -> None:
        for tool, arguments in (("list_jobs", {}), ("search", {"query": "budget"})):
            assert "archive_off" in (await agent.call(tool, **arguments)).error
        assert "right_missing" in (await agent.call("transcribe", source=str(tmp_path / "a.wav"))).error
        assert "pattern" in (await agent.call("job", job_id="../../metrics")).error
        assert "give profiles" in (await agent.call("enrich", job_id="0" * 32)).error

    with_agent(address_of(reader), act, key=reader.secret, folders=[tmp_path])


@pytest.mark.parametrize("key", [None, "kas_wrong"])
def test_a_missing_or_wrong_key_names_the_variable_and_is_not_repeated(
    bench: GatewayBench, key: str | None
) -> None:
    """The model may show the message to anyone."""
    gateway = bench.gateway(keys="required")

    async def act(agent: Agent) -> None:
        error = (await agent.call("list_jobs")).error
        assert "KASCRIBE_API_KEY" in error
        assert "kascribe keys add" in error
        assert "kas_wrong" not in error

    with_agent(f"http://127.0.0.1:{gateway.port}", act, key=key)


def test_a_key_can_come_from_a_file(bench: GatewayBench, tmp_path: Path) -> None:
    """So that it is not in the client's configuration."""
    gateway = bench.gateway(keys="required")
    reader = tenant(bench, gateway, "reader")
    (tmp_path / "key").write_text(f"{reader.secret}\n", encoding="utf-8")

    async def act(agent: Agent) -> None:
        assert "job_not_found" in (await agent.call("job", job_id="0" * 32)).error

    with_agent(address_of(reader), act, environment={"KASCRIBE_API_KEY_FILE": str(tmp_path / "key")})


def test_a_gateway_that_does_not_run_is_reported_by_each_call() -> None:
    """The server itself starts, so that the client can show the message."""

    async def nothing_there(agent: Agent) -> None:
        error = (await agent.call("list_jobs")).error
        assert "kascribe up" in error
        assert "KASCRIBE_URL" in error

    with_agent(f"http://127.0.0.1:{free_port()}", nothing_there)


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["--url", "localhost:8001"], {}, "KASCRIBE_URL"),
        (["--folder", "/nonexistent"], {}, "--folder"),
        ([], {"KASCRIBE_API_KEY_FILE": "/nonexistent"}, "KASCRIBE_API_KEY_FILE"),
    ],
)
def test_a_wrong_configuration_ends_the_start_without_a_word_on_standard_output(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], named: str
) -> None:
    """What is on standard output must be the protocol."""
    ended = subprocess.run(
        [sys.executable, "-m", "kascribe", "mcp", *arguments],
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "HOME": str(tmp_path), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert named in ended.stderr


def test_standard_output_has_nothing_but_the_protocol(tmp_path: Path) -> None:
    """Also where a message cannot be read, and to the end of the input."""
    lines = [
        "this is no message",
        json.dumps(
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "initialize",
                "params": {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {},
                    "clientInfo": {"name": "test", "version": "1"},
                },
            }
        ),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "kascribe", "mcp", "--url", "http://127.0.0.1:9"],
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write("".join(f"{line}\n" for line in lines))
        server.stdin.flush()
        answers: dict[int | None, Any] = {}
        while 2 not in answers:
            answer = json.loads(server.stdout.readline())
            assert answer["jsonrpc"] == "2.0"
            answers[answer.get("id")] = answer
        server.stdin.close()
        assert server.stdout.read() == ""
        assert server.wait(60) == 0
    assert answers[1]["result"]["serverInfo"]["name"] == "kascribe"
    assert len(answers[2]["result"]["tools"]) == 7
