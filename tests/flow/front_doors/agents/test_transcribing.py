"""Agents transcribe what the user named, read it in parts, and have it summarised."""

import json
import os
from pathlib import Path

import pytest

from tests.contract.vllm.vllm_double import VllmDouble, running
from tests.flow.front_doors.agents.agent import Agent, with_agent
from tests.flow.gateway import GatewayBench
from tests.sound.wav_listener import wav_bytes

LONG_SECONDS = 90


def address_of(port: int) -> str:
    """Return the address of a gateway on loopback."""
    return f"http://127.0.0.1:{port}"


def test_a_file_of_an_allowed_folder_is_transcribed_read_and_summarised(
    bench: GatewayBench, tmp_path: Path
) -> None:
    """With progress on the way; a long transcript comes in parts that join without a gap."""
    (tmp_path / "회의 1.wav").write_bytes(wav_bytes(LONG_SECONDS))
    with running(VllmDouble(context_tokens=32_768)) as double:
        bench.start_transcriber()
        bench.start_enricher(double.base_url)
        gateway = bench.gateway()

        async def act(agent: Agent) -> None:
            job = (await agent.call("transcribe", source=str(tmp_path / "회의 1.wav"))).body
            assert (job["phase"], job["name"]) == ("completed", "회의 1.wav")
            assert job["text_preview"].startswith("second 1.")
            fractions = [fraction for fraction, _ in agent.progress]
            assert fractions == sorted(set(fractions))
            assert agent.progress[-1] == (1.0, "completed")
            await reads_in_parts(agent, job["job_id"])
            enriched = (await agent.call("enrich", job_id=job["job_id"], instruction="Name the speakers.")).body
            (enrichment,) = enriched["enrichments"]
            assert [(each["profile"], each["status"]) for each in enrichment["outputs"]] == [
                ("instruction", "completed")
            ]
            listed = (await agent.call("enrichments", job_id=job["job_id"])).body
            assert listed["enrichments"] == [enrichment]
            other = (await agent.call("enrichments", job_id=job["job_id"], profile="summary")).body
            assert other["enrichments"] == []

        with_agent(address_of(gateway.port), act, folders=[tmp_path])


async def reads_in_parts(agent: Agent, job_id: str) -> None:
    """Read a transcript in parts, within times, and as subtitles."""
    lines: list[str] = []
    first: int | None = 0
    while first is not None:
        part = (await agent.call("transcript", job_id=job_id, first_segment=first, limit_characters=1_000)).body
        assert "do not follow" in part["notice"]
        assert len(part["text"]) <= 1_000
        lines += part["text"].splitlines()
        first = part["next_segment"]
    assert len(lines) == LONG_SECONDS
    assert (lines[0], lines[-1]) == ("[0:00.0] second 1.", "[1:29.0] second 90.")
    within = (await agent.call("transcript", job_id=job_id, form="text", start_seconds=10, end_seconds=12)).body
    assert within["text"].strip() == "second 11. second 12."
    subtitles = (await agent.call("transcript", job_id=job_id, form="srt", start_seconds=89)).body
    assert "00:01:29,000 --> " in subtitles["text"]


def test_a_job_that_takes_longer_than_the_wait_goes_on(bench: GatewayBench, tmp_path: Path) -> None:
    """The answer says so, and names the job; the tool job tells how it ends."""
    (tmp_path / "a.wav").write_bytes(wav_bytes(1))
    bench.start_transcriber()
    gateway = bench.gateway()
    bench.engine.gate.clear()

    async def act(agent: Agent) -> None:
        job = (await agent.call("transcribe", source=str(tmp_path / "a.wav"), wait_seconds=0)).body
        assert job["phase"] not in ("completed", "failed")
        assert "call job" in job["next_step"]
        early = await agent.call("transcript", job_id=job["job_id"])
        assert "not_finished" in early.error
        bench.engine.gate.set()
        phase = job["phase"]
        while phase != "completed":
            phase = (await agent.call("job", job_id=job["job_id"])).body["phase"]

    with_agent(address_of(gateway.port), act, folders=[tmp_path])


def test_a_file_that_is_no_audio_is_a_failed_job_with_its_reason(bench: GatewayBench, tmp_path: Path) -> None:
    """The model learns what is wrong instead of waiting."""
    (tmp_path / "notes.wav").write_bytes(b"these are notes")
    bench.start_transcriber()
    gateway = bench.gateway()

    async def act(agent: Agent) -> None:
        job = (await agent.call("transcribe", source=str(tmp_path / "notes.wav"))).body
        assert job["phase"] == "failed"
        assert job["failure"].startswith("audio_undecodable: ")

    with_agent(address_of(gateway.port), act, folders=[tmp_path])


@pytest.mark.parametrize("allowed", [True, False])
def test_no_other_file_of_this_machine_can_be_uploaded(
    bench: GatewayBench, tmp_path: Path, *, allowed: bool
) -> None:
    """Whatever a model was talked into: neither by a path, a link nor a hidden file; the bucket stays empty."""
    folder, outside = tmp_path / "calls", tmp_path / "secret.wav"
    folder.mkdir()
    outside.write_bytes(wav_bytes(1))
    (folder / ".hidden.wav").write_bytes(wav_bytes(1))
    (folder / "link.wav").symlink_to(outside)
    os.mkfifo(folder / "pipe.wav")
    (folder / "folder.wav").mkdir()
    gateway = bench.gateway()

    async def act(agent: Agent) -> None:
        refused = [outside, folder / ".." / "secret.wav", folder / "link.wav", folder / ".hidden.wav"]
        for path in refused:
            error = (await agent.call("transcribe", source=str(path))).error
            assert ("--folder" if not allowed else f"there is no file {path}") in error
        missing = (await agent.call("transcribe", source=str(tmp_path / "none.wav"))).error
        assert ("--folder" if not allowed else "there is no file") in missing
        for path in (folder / "pipe.wav", folder / "folder.wav"):
            error = (await agent.call("transcribe", source=str(path))).error
            assert ("--folder" if not allowed else "is not a file") in error

    with_agent(address_of(gateway.port), act, folders=[folder] if allowed else [])
    assert bench.client.list_objects_v2(Bucket=bench.settings.s3.bucket).get("KeyCount") == 0


def test_an_object_is_transcribed_where_it_is(bench: GatewayBench) -> None:
    """By its s3:// address; one of another bucket is refused by the gateway."""
    bucket = bench.settings.s3.bucket
    bench.client.put_object(Bucket=bucket, Key="calls/a.wav", Body=wav_bytes(2))
    bench.start_transcriber()
    gateway = bench.gateway()

    async def act(agent: Agent) -> None:
        job = (await agent.call("transcribe", source=f"s3://{bucket}/calls/a.wav", language="en")).body
        assert (job["phase"], job["text_preview"]) == ("completed", "second 1. second 2.")
        assert "not_allowed" in (await agent.call("transcribe", source="s3://other/a.wav")).error

    with_agent(address_of(gateway.port), act)


def test_descriptions_tell_a_model_what_to_send_and_what_not_to_follow(bench: GatewayBench) -> None:
    """Every tool and argument is described, every answer has a schema; readers are marked as such."""
    gateway = bench.gateway()

    async def act(agent: Agent) -> None:
        tools = {tool.name: tool for tool in await agent.tools()}
        assert set(tools) == {"list_jobs", "job", "search", "transcript", "enrichments", "enrich", "transcribe"}
        for tool in tools.values():
            assert tool.description
            assert tool.output_schema
            for name, argument in tool.input_schema["properties"].items():
                assert argument.get("description") or "anyOf" in argument, (tool.name, name)
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is (tool.name not in {"enrich", "transcribe"})
        assert "never instructions" in str(tools["transcript"].description)
        assert "context" not in json.dumps(tools["transcribe"].input_schema["properties"])
        assert "data" in str(agent.client.instructions)

    with_agent(address_of(gateway.port), act)
