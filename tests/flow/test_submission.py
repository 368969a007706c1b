"""Submitting files: what is uploaded, and what is said about it on the topic."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kascribe.cli import app
from kascribe.submission import Request, Submitter
from producers.publisher import Publisher
from producers.uploads import Uploads
from schemas.errors import ConfigurationError
from schemas.events import AudioReference
from schemas.options import EnrichOptions
from schemas.settings import KafkaSettings
from schemas.topics import Topics
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.object_store import running_object_store


def test_a_file_whose_name_is_no_utf8_is_submitted(broker: MockCluster, tmp_path: Path) -> None:
    """Old archives hold names in other encodings: what cannot be read of a name is replaced."""
    path = tmp_path / os.fsdecode(b"entr\xe9e.wav")
    path.write_bytes(b"audio")
    topics = Topics("")
    broker.create_topic(topics.references)
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    with running_object_store() as store, Publisher(kafka) as publisher:
        settings = store.settings()
        submitted = Submitter(Uploads(settings, client=store.client), publisher, topics).submit(
            str(path), Request()
        )
        (key,) = store.keys(settings.bucket)
        store.client.close()
    (record,) = records_on(broker.bootstrap_servers, topics.references, count=1)
    reference = AudioReference.model_validate_json(record.value or b"")
    assert submitted.name == reference.metadata["name"] == "entr\N{REPLACEMENT CHARACTER}e.wav"
    assert reference.uri == f"s3://{settings.bucket}/{key}"


def test_the_language_of_the_answer_is_submitted(
    broker: MockCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--answer-language`` goes with what is asked, and alone is refused before anything is uploaded."""
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
