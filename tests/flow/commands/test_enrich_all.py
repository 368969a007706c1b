"""``kascribe enrich --all`` as a user types it, before a real enricher's stage on an embedded broker."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from schemas.errors import ConfigurationError
from schemas.events import CancellationEvent
from schemas.identity import enrich_digest, job_id
from schemas.options import EnrichOptions
from schemas.results import ResultKeys
from tests.contract.enricher.enrich_jobs import transcript_record
from tests.contract.vllm.vllm_faults import Fault
from tests.flow.commands.enrich_system import TOPICS, EnrichSystem, app
from tests.flow.gateway import PARTITIONS
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.support.object_store import ObjectStore
from tests.support.waiting import eventually


def test_every_transcript_is_enriched_once_and_the_next_run_finds_them_enriched(
    enrich_system: EnrichSystem,
) -> None:
    """With the job's correlation and a reference of its own; a second command requests nothing."""
    jobs = enrich_system.publish([f"call {number}" for number in range(20)], metadata={"call": "7"})
    first = enrich_system.enrich("--profile", "title")
    assert (first["exit_code"], first["enriched"], first["is_finished"]) == (0, 20, True)
    second = enrich_system.enrich("--profile", "title")
    assert (second["requested"], second["enriched_already"], second["is_resumed"]) == (0, 20, False)
    events = enrich_system.enrichments(20)
    assert Counter(event.job_id for event in events) == Counter(jobs)
    assert {event.metadata["call"] for event in events} == {"7"}
    assert all(str(event.reference_event_id).startswith("enrich-") for event in events)
    other = enrich_system.enrich("--profile", "title", "--language", "Korean")
    assert other["enriched"] == 20
    assert len(enrich_system.enrichments(40)) == 40


def test_a_run_with_a_limit_is_continued_by_the_same_command(enrich_system: EnrichSystem) -> None:
    """From where it was: what is settled is not read again; a finished run begins again from the start."""
    enrich_system.publish([f"call {number}" for number in range(10)])
    first = enrich_system.enrich("--profile", "title", "--limit", "4")
    assert (first["enriched"], first["is_finished"], first["exit_code"]) == (4, False, 0)
    assert "the same command continues it" in first["stderr"]
    rest = enrich_system.enrich("--profile", "title")
    assert (rest["is_resumed"], rest["enriched"], rest["is_finished"]) == (True, 6, True)
    assert rest["read"] < 10
    assert enrich_system.enrich("--profile", "title")["enriched_already"] == 10


def test_a_dry_run_counts_and_changes_nothing(enrich_system: EnrichSystem) -> None:
    """By tenant and by time as well."""
    enrich_system.publish(["a", "b"], tenant="one")
    enrich_system.publish(["c"], tenant="two", occurred_at="2026-11-20T00:00:00Z")
    counted = enrich_system.enrich("--profile", "title", "--dry-run")
    assert (counted["would_be_enriched"], counted["is_finished"]) == (3, False)
    assert enrich_system.enrich("--profile", "title", "--dry-run", "--tenant", "one")["would_be_enriched"] == 2
    late = enrich_system.enrich(
        "--profile", "title", "--dry-run", "--since", "2026-11-21", "--until", "2026-11-23"
    )
    assert (late["would_be_enriched"], late["left_out"]) == (2, 1)
    assert enrich_system.double.completion_requests == []
    result = CliRunner().invoke(app, ["--all", "--profile", "title", "--dry-run"])
    counts = "3 transcripts read, 0 enriched already, 0 left out, 0 unreadable"
    assert f"3 would be enriched: {counts}" in result.stdout


def test_failures_are_listed_with_their_reasons_and_requested_again_by_the_next_run(
    enrich_system: EnrichSystem,
) -> None:
    """Of the transcripts that failed alone; records that cannot be read are counted."""
    jobs = enrich_system.publish(["a", "b", "c"])
    producer = Producer({"bootstrap.servers": enrich_system.servers})
    producer.produce(TOPICS.transcripts, b"nonsense")
    producer.produce(TOPICS.transcripts, None, key=b"a")
    producer.flush(10)
    enrich_system.double.faults_by_name["title"] = Fault.WRONG_SHAPE
    result = CliRunner().invoke(app, ["--all", "--profile", "title"])
    assert result.exit_code == 1, result.output
    assert "0 enriched, 0 enriched already, 3 failed, 1 unreadable" in result.stdout
    assert all(f"job {job}: enrichment_invalid: " in result.stdout for job in jobs)
    enrich_system.double.faults_by_name.clear()
    assert enrich_system.enrich("--profile", "title")["enriched"] == 3


def test_wrong_options_fail_once_and_end_the_run(enrich_system: EnrichSystem) -> None:
    """The first request goes alone."""
    enrich_system.publish(["a", "b", "c"])
    with pytest.raises(ConfigurationError, match="refuses the options: no profile poetry"):
        enrich_system.enrich("--profile", "poetry")
    assert len(records_on(enrich_system.servers, "audio.enrich-requests.dlq", count=1, partitions=PARTITIONS)) == 1


def test_the_ordinary_enricher_and_a_run_make_one_event(enrich_system: EnrichSystem) -> None:
    """Transcripts that request the same, and are on their way to the enricher while the run requests it too."""
    options = EnrichOptions(profiles=("title",))
    jobs = enrich_system.publish([f"call {number}" for number in range(30)], enrich=options)
    summary = enrich_system.enrich("--profile", "title")
    assert summary["enriched"] + summary["enriched_already"] == 30
    assert Counter(event.job_id for event in enrich_system.enrichments(30)) == Counter(jobs)
    producer = Producer({"bootstrap.servers": enrich_system.servers})
    producer.produce(TOPICS.enrichments, b"the end", partition=0)
    producer.flush(10)
    last = records_on(enrich_system.servers, TOPICS.enrichments, count=31, partitions=PARTITIONS)
    assert sum(record.value == b"the end" for record in last) == 1


def test_a_named_run_keeps_its_options(enrich_system: EnrichSystem) -> None:
    """A name that an unfinished run has is not taken for another one."""
    enrich_system.publish(["a", "b"])
    enrich_system.enrich("--profile", "title", "--run", "night", "--limit", "1")
    with pytest.raises(ConfigurationError, match="--run night names an unfinished run with other options"):
        enrich_system.enrich("--profile", "topics", "--run", "night")
    assert enrich_system.enrich("--profile", "title", "--run", "night")["is_resumed"] is True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--all"], "with --profile or --instruction"),
        (["--all", "--profile", "title", "call.txt"], "leave out call.txt"),
        (["--all", "--profile", "title", "--since", "yesterday"], "write 90m, 12h or 7d"),
        (["--all", "--profile", "title", "--since", "1h", "--until", "2h"], "is not before"),
        (["--all", "--profile", "title", "--run", "a/b"], "--run a/b is no name"),
        (["call.txt", "--limit", "3"], "belong to --all"),
        ([], "or write --all"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], said: str, broker: MockCluster, moto_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence that names the option."""
    monkeypatch.setenv("KASCRIBE_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("KASCRIBE_S3_ENDPOINT_URL", moto_store.endpoint_url)
    monkeypatch.setenv("KASCRIBE_S3_BUCKET", moto_store.settings().bucket)
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, ConfigurationError)
    assert said in str(error)


def test_a_request_that_is_tried_again_does_not_hold_up_the_others(enrich_system: EnrichSystem) -> None:
    """A transcript that is gone may come back; a stored enrichment that cannot be read is found by the lookup."""
    enrich_system.publish(["first"])
    (unreadable,) = enrich_system.publish(["unreadable"])
    gone = transcript_record("s3://audio/kascribe-results/gone.json", key="gone")
    producer = Producer({"bootstrap.servers": enrich_system.servers})
    producer.produce(TOPICS.transcripts, gone.value)
    assert producer.flush(10) == 0
    enrich_system.publish(["last"])
    digest = enrich_digest(EnrichOptions(profiles=("title",)))
    s3 = enrich_system.bench.settings.s3
    key = ResultKeys(s3.results_prefix).enrichment(unreadable, digest)
    enrich_system.bench.client.put_object(Bucket=s3.bucket, Key=key, Body=b"{}")
    summary = enrich_system.enrich("--profile", "title", "--in-flight", "1")
    assert (summary["enriched"], summary["failed"], summary["exit_code"]) == (2, 2, 1)
    assert {failure["job_id"] for failure in summary["failures"]} == {unreadable, job_id("gone")}


def test_a_job_that_its_caller_cancels_is_counted(enrich_system: EnrichSystem) -> None:
    """It is neither enriched nor a failure."""
    (job,) = enrich_system.publish(["call"])
    enrich_system.double.gate = threading.Event()
    producer = Producer({"bootstrap.servers": enrich_system.servers})

    def cancel_and_open() -> None:
        eventually(lambda: enrich_system.double.completion_requests, timeout_seconds=60, what="a request")
        event = CancellationEvent(event_id="c", occurred_at=datetime.now(UTC) + timedelta(days=1), job_id=job)
        producer.produce(TOPICS.cancellations, event.model_dump_json().encode())
        producer.flush(10)

    caller = threading.Thread(target=cancel_and_open)
    caller.start()
    summary = enrich_system.enrich("--profile", "title")
    caller.join()
    enrich_system.double.gate.set()
    assert (summary["cancelled"], summary["enriched"], summary["failed"]) == (1, 0, 0)
    assert summary["is_finished"] is True


def test_a_run_without_answers_says_what_to_look_at(
    enrich_system: EnrichSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And waits on: an enricher may come back."""
    monkeypatch.setattr("kascribe.commands.enriching.enrich_all.SILENCE_SECONDS", 0.5)
    enrich_system.double.answer_seconds = 2.0
    enrich_system.publish(["call"])
    summary = enrich_system.enrich("--profile", "title")
    assert "see whether an enricher of this release runs" in summary["stderr"]
    assert summary["enriched"] == 1
