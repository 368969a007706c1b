"""One trace from a dropped file to its summary and its webhook, read back from a real collector."""

import re
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from deploy.collector.building import collector_program
from deploy.collector.traces import CollectedSpan, children, roots
from deploy.stack.cache import default_cache
from deploy.stack.errors import StackError
from models.selftest import clips
from schemas.roles import Role
from tests.contract.notifier.webhook_receiver import SECRET, Receiver, receiving
from tests.contract.vllm.vllm_double import VllmDouble
from tests.contract.vllm.vllm_double import running as vllm_running
from tests.contract.vllm.vllm_faults import Fault
from tests.demo.role import RoleProcess
from tests.integration.pipeline import Pipeline
from tests.integration.servers.collector import RunningCollector, collecting
from tests.integration.stack import PrivateStack
from tests.support.listening import missing
from tests.support.waiting import eventually

KEY: Final = "녹음/call.ogg"
CLOCK_SECONDS: Final = 0.005
"""The time in a record is in whole milliseconds; its processes share one clock here."""


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[RunningCollector]:
    """Run a collector of the test's own; where it cannot be built, skip the test, and fail it in CI."""
    try:
        program = collector_program(default_cache())
    except StackError as error:
        missing(str(error))
    with collecting(program, tmp_path) as running:
        yield running


@contextmanager
def system(
    stack: PrivateStack, collector: RunningCollector, directory: Path, *, double: VllmDouble, webhook_port: int
) -> Iterator[Pipeline]:
    """Run a transcriber, an enricher and a notifier that send their traces to the collector."""
    settings = {
        **collector.settings,
        "KASCRIBE_WHISPER_DECODER_PROCESSES": "1",
        "KASCRIBE_RUNTIME_RETRY_DELAYS_SECONDS": "1",
        "KASCRIBE_VLLM_BASE_URL": double.base_url,
        "KASCRIBE_VLLM_PROFILES": "summary",
        "KASCRIBE_VLLM_ATTEMPTS": "1",
        "KASCRIBE_WEBHOOKS_SECRET": SECRET,
        "KASCRIBE_WEBHOOKS_URL": f"http://127.0.0.1:{webhook_port}/hook?token=hidden",
        "KASCRIBE_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8",
        "KASCRIBE_WEBHOOKS_HTTP_HOSTS": "127.0.0.1",
        "KASCRIBE_WEBHOOKS_RETRY_DELAYS_SECONDS": "1",
    }
    with Pipeline(stack, directory, settings) as pipeline, ExitStack() as roles:
        stack.servers.create_bucket(pipeline.bucket, notify_topic=pipeline.topics.objects)
        for role in (Role.ENRICHER, Role.NOTIFIER):
            process = RoleProcess(role, pipeline.environment, log=directory / f"{role}.log")
            roles.enter_context(process).wait_until_ready()
        yield pipeline


def one(spans: list[CollectedSpan], name: str) -> CollectedSpan:
    """Return the one span of a name."""
    (span,) = (span for span in spans if span.name == name)
    return span


def names(spans: list[CollectedSpan], parent: CollectedSpan) -> list[str]:
    """Return the names of a span's children within its own process, in the order in which they began."""
    return [span.name for span in children(spans, parent) if span.service == parent.service]


def assert_within_parents(spans: list[CollectedSpan]) -> None:
    """Check that each span lies within its parent, where both are of one process, and else begins after it."""
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        parent = by_id.get(span.parent_id)
        if parent is None:
            continue
        assert span.started_ns >= parent.started_ns - CLOCK_SECONDS * 1e9, (span.name, parent.name)
        if span.service == parent.service and not span.name.startswith("process "):
            assert span.ended_ns <= parent.ended_ns, (span.name, parent.name)


def is_whole(spans: list[CollectedSpan]) -> bool:
    """Return whether a trace has reached the summary's delivery to the webhook, and every span has its parent."""
    delivered = [span for span in spans if span.name == "POST" and not span.failed]
    enriched = [span for span in spans if span.name.endswith("audio.webhooks")]
    return len(delivered) == 2 and len(enriched) >= 2 and len(roots(spans)) == 1


def test_a_dropped_file_is_one_trace_to_its_summary_and_its_webhook(
    stack: PrivateStack, collector: RunningCollector, tmp_path: Path
) -> None:
    """With an enrichment that fails once on the way, and is tried again from its retry topic.

    The trace has one root, the notification; each role's record is below the record that caused it.
    """
    double, clip = VllmDouble(context_tokens=4_096), next(iter(clips()))
    with (
        vllm_running(double),
        receiving(Receiver()) as receiver,
        system(stack, collector, tmp_path, double=double, webhook_port=receiver.port) as pipeline,
    ):
        double.faults.append(Fault.ERROR)
        stack.s3.put_object(Bucket=pipeline.bucket, Key=KEY, Body=clip.path.read_bytes())
        transcript = pipeline.transcript_of(f"s3://{pipeline.bucket}/{KEY}")
        spans = collector.trace_with(is_whole, what="the whole trace")
        prefix = pipeline.prefix
    (root,) = roots(spans)
    assert (root.name, root.parent_id, root.service) == (
        f"process {prefix}audio.objects",
        "",
        "kascribe-transcriber",
    )
    assert_within_parents(spans)

    assert names(spans, root) == ["queue", "attempt", "publish", "commit"]
    for before, after in pairwise(span for span in children(spans, root) if span.service == root.service):
        assert before.ended_ns <= after.started_ns
    attempt = next(span for span in children(spans, root) if span.name == "attempt")
    assert names(spans, attempt) == ["fetch", "transcribe", "store transcript", "store result"]
    assert attempt.attributes["kascribe.job_id"] == transcript.job_id
    assert set(names(spans, one(spans, "transcribe"))) == {"decode", "hear"}
    assert names(spans, one(spans, "decode")) == ["speech detection"]
    assert "batch" in one(spans, "hear").events
    assert one(spans, "fetch").attributes["aws.s3.key"] == KEY

    first = next(span for span in children(spans, root) if span.name == f"process {prefix}audio.transcripts")
    again = one(spans, f"process {prefix}audio.transcripts.retry.1s")
    assert {first.service, again.service} == {"kascribe-enricher"}
    assert (first.failed, first.attributes["kascribe.outcome"]) == (True, "retried")
    assert (again.failed, again.parent_id, again.links) == (False, root.span_id, (first.span_id,))
    assert again.seconds >= 1.0  # its wait in the retry topic is in its queue
    retried = next(span for span in children(spans, again) if span.name == "attempt")
    assert names(spans, retried) == ["load transcript", "enrich", "store result"]
    chats = [span for span in spans if span.name.startswith("chat ")]
    assert [chat.failed for chat in chats] == [True, False]
    assert chats[-1].attributes["gen_ai.usage.output_tokens"] > 0

    hooks = [span for span in spans if span.name == f"process {prefix}audio.webhooks"]
    assert {hook.service for hook in hooks} == {"kascribe-notifier"}
    told = repr(spans)
    assert transcript.text
    assert not any(secret in told for secret in (transcript.text, SECRET, "token=hidden", "X-Amz-Signature"))


def test_a_collector_that_freezes_or_dies_costs_traces_and_no_work(
    stack: PrivateStack, collector: RunningCollector, tmp_path: Path
) -> None:
    """Jobs end as before, what was not sent is counted, and a collector that is back gets what comes then."""
    clip = next(iter(clips())).path.read_bytes()
    settings = {**collector.settings, "KASCRIBE_WHISPER_DECODER_PROCESSES": "1"}
    with Pipeline(stack, tmp_path, settings) as pipeline:
        collector.freeze()
        frozen = refer_and_wait(pipeline, clip, name="frozen.ogg")
        wait_for_drops(pipeline, more_than=0)
        lost = dropped(pipeline)
        collector.end()
        refer_and_wait(pipeline, clip, name="down.ogg")
        wait_for_drops(pipeline, more_than=lost)
        collector.start()
        back = refer_and_wait(pipeline, clip, name="back.ogg")
        spans = collector.trace_with(lambda spans: has_key(spans, back), what="the trace after the outage")
        log = pipeline.role.log.read_text()
    assert [span.name for span in spans if span.name == "commit"] == ["commit"]
    assert log.count("spans are not accepted, traces have gaps") == 1
    assert log.count("spans are accepted again") == 1
    assert frozen != back


def refer_and_wait(pipeline: Pipeline, body: bytes, *, name: str) -> str:
    """Have a file transcribed, and return its key. Fails when it takes as long as in an outage."""
    uri = pipeline.put(body, name=name)
    pipeline.refer(uri)
    pipeline.transcript_of(uri)
    return uri.removeprefix(f"s3://{pipeline.bucket}/")


def has_key(spans: list[CollectedSpan], key: str) -> bool:
    """Return whether a trace is about an object, and complete in the transcriber."""
    is_about = any(span.attributes.get("aws.s3.key") == key for span in spans)
    return is_about and any(span.name == "commit" for span in spans) and len(roots(spans)) == 1


def dropped(pipeline: Pipeline) -> float:
    """Return how many spans the transcriber has dropped because they were not accepted."""
    url = f"http://127.0.0.1:{pipeline.role.health_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        text = answer.read().decode()
    found = re.search(r'^kascribe_trace_spans_dropped_total\{reason="export_failed"\} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def wait_for_drops(pipeline: Pipeline, *, more_than: float) -> None:
    """Wait until more spans were dropped."""
    eventually(lambda: dropped(pipeline) > more_than, timeout_seconds=30, what="dropped spans")
