"""The generated documents: complete, consistent, and what is committed."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kascribe.documents import generation
from kascribe.documents.asyncapi import asyncapi
from kascribe.documents.channels import RETRIED_TOPICS
from kascribe.documents.contracts import EVENTS, json_schemas
from kascribe.documents.json_schema import references
from kascribe.documents.pages import reasons_page, settings_page
from kascribe.wiring.documentation import http_reasons
from schemas.errors import Reason
from schemas.events import AudioReference, Event, TranscriptEvent
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.kafka.wire import decode, encode
from schemas.settings.catalogue import settings
from schemas.transcripts.transcript import SourceObject, StageTiming, TranscriptStatus, Usage
from tests.sound.provenance import PROVENANCE

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TELEMETRY_OFF = TranscriptEvent(
    event_id="e",
    occurred_at=NOW,
    job_id="j",
    idempotency_key="k",
    status=TranscriptStatus.NO_SPEECH,
    source=SourceObject(uri="s3://audio/a.wav", sha256="0", object_size_bytes=1),
    audio_duration_seconds=1.0,
    speech_duration_seconds=0.0,
    segment_count=0,
    transcript_uri="s3://audio/t.json",
    provenance=PROVENANCE,
    timing=StageTiming(),
    usage=Usage(audio_seconds=1.0, inference_seconds=0.0, windows=0, decoded_tokens=0),
)


def resolved(document: Any, reference: str) -> Any:
    """Return the target of a reference within the document."""
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def test_the_committed_documents_are_what_the_code_says() -> None:
    """A change of a contract, setting, reason or metric shows in the documents of the same commit."""
    assert list(generation.differences(generation.DIRECTORY, generation.documents())) == []


def test_check_tells_a_difference_and_writing_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check exits 1 with a diff, for a changed document and for one that is no longer generated."""
    arguments = ["--directory", str(tmp_path)]
    assert generation.main(arguments) == 0
    assert generation.main([*arguments, "--check"]) == 0
    (tmp_path / "settings.md").write_text("# Other\n", encoding="utf-8")
    (tmp_path / "contracts" / "gone.schema.json").write_text("{}", encoding="utf-8")
    capsys.readouterr()
    assert generation.main([*arguments, "--check"]) == 1
    output = capsys.readouterr().out
    assert "-# Other\n+# Settings" in output
    assert "contracts/gone.schema.json is no longer generated" in output
    generation.main(arguments)
    assert generation.main([*arguments, "--check"]) == 0


def test_every_event_has_a_schema_of_its_own() -> None:
    """An event that is added to schemas/events.py must be added to the documents."""

    def all_events(parent: type[Event]) -> Iterator[type[Event]]:
        for child in parent.__subclasses__():
            if "ce_type" in vars(child):
                yield child
            yield from all_events(child)

    assert set(all_events(Event)) == set(EVENTS)
    assert {event.__name__ for event in EVENTS} < set(json_schemas())


def test_the_schemas_are_valid_and_accept_what_we_send() -> None:
    """Each is a correct JSON Schema, and an event without optional fields passes, as it goes over the wire."""
    schemas = json_schemas()
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for event in (TELEMETRY_OFF, AudioReference(event_id="e", occurred_at=NOW, uri="s3://audio/a.wav")):
        sent = encode(event, topic="t", key="k", trace=Trace.start())
        jsonschema.validate(json.loads(sent.value or b""), schemas[type(event).__name__])


def test_an_event_without_optional_fields_survives_the_wire() -> None:
    """A transcript of silence has neither text nor language; its reader gets the same event."""
    sent = encode(TELEMETRY_OFF, topic="t", key="k", trace=Trace.start())
    assert decode(Record("t", 0, 0, sent.key, sent.value), TranscriptEvent) == TELEMETRY_OFF


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    """No $ref leads nowhere, none leads out of the document."""
    document = asyncapi("1.2.3")
    found = set(references(document))
    assert len(found) > 30
    for reference in found:
        assert reference.startswith("#/")
        assert resolved(document, reference) is not None


def test_the_asyncapi_document_has_the_structure_of_version_3() -> None:
    """Required fields are there; an operation's messages are its channel's; every channel is operated on."""
    document = asyncapi("1.2.3")
    assert document["asyncapi"] == "3.1.0"
    assert {"title", "version"} <= document["info"].keys()
    used = set()
    for name, operation in document["operations"].items():
        assert operation["action"] in ("send", "receive")
        assert name.startswith(operation["action"])
        channel_reference = operation["channel"]["$ref"]
        used.add(channel_reference.removeprefix("#/channels/"))
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel_reference}/messages/")
    assert used == document["channels"].keys()
    for channel in document["channels"].values():
        named = set(re.findall(r"\{(\w+)\}", channel["address"]))
        assert named == set(channel.get("parameters", {}))
    for message in document["components"]["messages"].values():
        assert message["bindings"]["kafka"]["bindingVersion"]
        jsonschema.Draft202012Validator.check_schema(resolved(document, message["payload"]["$ref"]))


def test_every_topic_is_in_the_asyncapi_document() -> None:
    """No topic is undocumented."""
    addresses = {channel["address"] for channel in asyncapi("1")["channels"].values()}
    assert set(Topics().all) < addresses
    assert set(RETRIED_TOPICS) < set(Topics().all)


def test_every_reason_and_every_setting_is_on_its_page() -> None:
    """The pages leave nothing out."""
    assert all(f"| `{reason}` |" in reasons_page(http_reasons()) for reason in Reason)
    assert all(f"| `{each.key}` |" in settings_page() for each in settings())
