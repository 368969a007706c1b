"""Submitting files: what is uploaded, and what is reported about it."""

import io
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, repeat
from pathlib import Path
from typing import Any, Final

import pytest
from rich.console import Console
from typer.testing import CliRunner

from kascribe.cli import app
from kascribe.console.board import Board
from kascribe.documents.event_examples import EXAMPLES
from kascribe.sources.arguments import Source
from kascribe.submission.finished import KeyedJob, PastResults
from kascribe.submission.following import answers
from kascribe.submission.sending import Sender
from kascribe.submission.submitter import SubmissionRequest, Submitter
from producers.publisher import Publisher
from producers.results import ResultStore
from producers.uploads import Uploads
from schemas.errors import ConfigurationError
from schemas.events import AudioReference, ProgressEvent, TranscriptEvent
from schemas.identity import content_key, job_id
from schemas.kafka.records import Coordinates
from schemas.kafka.topics import Topics
from schemas.options import EnrichOptions, ExportFormat, TranscribeOptions
from schemas.results import StoredJob
from schemas.settings import KafkaSettings
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.support.clock import HandClock
from tests.support.object_store import ObjectStore, running_object_store

TOPICS: Final = Topics("")


@contextmanager
def opened_submitter(broker: MockCluster) -> Iterator[tuple[Submitter, ObjectStore]]:
    """Open a submitter to a bucket of its own; yield it with the bucket's store."""
    broker.create_topic(TOPICS.references)
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    with running_object_store() as store, Publisher(kafka) as publisher:
        yield Submitter(Uploads(store.settings(), client=store.client), publisher, TOPICS), store
        store.client.close()


def test_a_file_whose_name_is_no_utf8_is_submitted(broker: MockCluster, tmp_path: Path) -> None:
    """Old archives hold names in other encodings: the bytes that cannot be decoded are replaced."""
    path = tmp_path / os.fsdecode(b"entr\xe9e.wav")
    path.write_bytes(b"audio")
    with opened_submitter(broker) as (submitter, store):
        submitted = submitter.submit(str(path), SubmissionRequest())
        bucket = submitted.uri.split("/")[2]
        (key,) = store.keys(bucket)
    (record,) = records_on(broker.bootstrap_servers, TOPICS.references, count=1)
    reference = AudioReference.model_validate_json(record.value or b"")
    assert submitted.name == reference.metadata["name"] == "entr\N{REPLACEMENT CHARACTER}e.wav"
    assert reference.uri == f"s3://{bucket}/{key}"


def test_the_language_of_the_answer_is_submitted(
    broker: MockCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--answer-language`` goes with the profiles, and alone is refused before anything is uploaded."""
    path = tmp_path / "call.wav"
    path.write_bytes(b"audio")
    monkeypatch.chdir(tmp_path)
    topic = Topics("").references
    broker.create_topic(topic)
    with running_object_store() as store:
        settings = store.settings()
        monkeypatch.setenv("KASCRIBE_S3_ENDPOINT_URL", store.endpoint_url)
        monkeypatch.setenv("KASCRIBE_S3_BUCKET", settings.bucket)
        monkeypatch.setenv("KASCRIBE_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
        arguments = ["submit", str(path), "--no-follow", "--answer-language", "Korean"]
        refused = CliRunner().invoke(app, arguments)
        assert isinstance(refused.exception, ConfigurationError)
        assert store.keys(settings.bucket) == []
        submitted = CliRunner().invoke(app, [*arguments, "--profile", "summary"])
        store.client.close()
    assert submitted.exit_code == 0, submitted.output
    (record,) = records_on(broker.bootstrap_servers, topic, count=1)
    reference = AudioReference.model_validate_json(record.value or b"")
    assert reference.enrich == EnrichOptions(profiles=("summary",), language="Korean")


def test_a_file_that_cannot_be_read_is_reported_and_the_others_are_submitted(
    broker: MockCluster, tmp_path: Path
) -> None:
    """One bad file of many affects only itself."""
    for name in ("first.wav", "last.wav"):
        (tmp_path / name).write_bytes(b"audio")
    (tmp_path / "empty.wav").touch()
    names = ("first.wav", "gone.wav", "empty.wav", "last.wav")
    sources = [Source(str(tmp_path / name), name) for name in names]
    written = io.StringIO()
    console = Console(file=written, width=400)
    with opened_submitter(broker) as (submitter, store):
        past = PastResults(store.settings(), SubmissionRequest(), client=store.client)
        sender = Sender(submitter, past, Board(console), lambda _: None)
        sender.send(sources, SubmissionRequest())
    assert {sent.job.name for sent in sender.sent if sent.job} == {"first.wav", "last.wav"}
    assert "gone.wav was not submitted: No such file or directory" in written.getvalue()
    assert "empty.wav was not submitted: it is empty (0 bytes)" in written.getvalue()


def _stored_elsewhere(results: ResultStore, key: str, address: str) -> TranscriptEvent:
    """Store a job that another record finished, without an event."""
    example = TranscriptEvent.model_validate(EXAMPLES[TranscriptEvent])
    content = content_key(
        audio_sha256=example.source.sha256,
        options=TranscribeOptions(),
        model_sha256=example.provenance.model_sha256,
    )
    own: dict[str, Any] = {
        "job_id": job_id(key),
        "enrich": None,
        "exports": {},
        "source": example.source.model_copy(update={"uri": address}),
        "transcript_uri": results.transcript_uri(content),
    }
    event = example.model_copy(update=own)
    owner = Coordinates(TOPICS.references, 0, 1)
    return results.create_job(StoredJob(job_id=event.job_id, owner=owner, content_key=content, event=event)).event


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    """Run an object store for one test."""
    with running_object_store() as store:
        yield store
        store.client.close()


class HastyClock(HandClock):
    """A clock that goes forward by a second whenever it is read."""

    def monotonic(self) -> float:
        """Return seconds since the clock began."""
        self.seconds += 1.0
        return self.seconds


def test_a_job_that_another_record_has_finished_is_found_while_others_are_busy(store: ObjectStore) -> None:
    """Its reference got the result's place without a transcript event; topics are never quiet, and the event in
    the bucket is shown once."""
    busy = ProgressEvent.model_validate({**EXAMPLES[ProgressEvent], "event_id": "busy"})
    settings = store.settings()
    event = _stored_elsewhere(ResultStore(settings, client=store.client), "k", "s3://audio/call.wav")
    keyed = KeyedJob(Source("s3://audio/call.wav", "call.wav"), None)
    past = PastResults(settings, SubmissionRequest(idempotency_key="k"), keyed=keyed, client=store.client)
    found = answers(repeat(busy), {event.job_id}, past, clock=HastyClock())
    shown = Counter(answer.event_id for answer in islice(found, 20) if answer)
    assert shown == {"busy": 19, event.event_id: 1}


def test_a_finished_job_without_the_exports_that_are_requested_is_another(store: ObjectStore) -> None:
    """The transcriber decides likewise; no caller is pointed to a file that is not there."""
    settings = store.settings()
    event = _stored_elsewhere(ResultStore(settings, client=store.client), "k", "s3://audio/call.wav")
    request = SubmissionRequest(TranscribeOptions(exports=(ExportFormat.SRT,)), idempotency_key="k")
    keyed = KeyedJob(Source("s3://audio/call.wav", "call.wav"), None)
    past = PastResults(settings, request, keyed=keyed, client=store.client)
    with pytest.raises(ConfigurationError, match="--key k names a job of other audio or other options"):
        past.events(event.job_id)
