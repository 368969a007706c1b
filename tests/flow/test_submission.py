"""Submitting files: what is uploaded, and what is said about it on the topic."""

import os
from pathlib import Path

from kascribe.submission import Request, Submitter
from producers.publisher import Publisher
from producers.uploads import Uploads
from schemas.events import AudioReference
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
