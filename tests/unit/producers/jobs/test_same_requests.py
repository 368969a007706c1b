"""Whether a request with a known key is the same request."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from kascribe.documents.event_examples import EXAMPLES
from producers.gateway.jobs.submission import (
    JobSubmission,
    NamedObject,
    UploadedFile,
    is_same_as_accepted,
    is_same_as_finished,
)
from schemas.events import TranscriptEvent
from schemas.identity import content_key
from schemas.kafka.records import Coordinates
from schemas.kafka.trace import Trace
from schemas.options import EnrichOptions, ExportFormat, Lane, TranscribeOptions
from schemas.results import AcceptedJob, ResultKeys, StoredJob

NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHA256: Final = "ab"
OBJECT: Final = NamedObject("s3://audio/a.wav", "v1", "e1")
FILE: Final = UploadedFile("a.wav", None)
OPTIONS: Final = TranscribeOptions(language="ko", exports=(ExportFormat.SRT,))
SUMMARY: Final = EnrichOptions(profiles=("summary",))


def asked(audio: NamedObject | UploadedFile = FILE, **changed: Any) -> JobSubmission:
    """Return a request."""
    first = JobSubmission(
        audio=audio,
        idempotency_key="k",
        is_repeatable=True,
        options=OPTIONS,
        enrich=SUMMARY,
        lane=Lane.BULK,
        tenant="team",
        metadata={"case": "17"},
        trace=Trace("0" * 32, "1" * 16),
    )
    return replace(first, **changed)


def accepted(audio: NamedObject | UploadedFile = FILE) -> AcceptedJob:
    """Return the job that the first request gave."""
    first = asked(audio)
    stored = audio if isinstance(audio, NamedObject) else NamedObject("s3://audio/kascribe-uploads/1/a.wav")
    return AcceptedJob(
        job_id=first.job_id,
        tenant=first.tenant,
        accepted_at=NOON,
        reference=first.reference(stored, event_id="e", now=NOON),
        audio_sha256=SHA256 if audio is FILE else None,
    )


def finished() -> StoredJob:
    """Return a finished job of another producer."""
    example = TranscriptEvent.model_validate(EXAMPLES[TranscriptEvent])
    content = content_key(audio_sha256=SHA256, options=OPTIONS, model_sha256=example.provenance.model_sha256)
    event = example.model_copy(
        update={
            "tenant": "team",
            "enrich": SUMMARY,
            "exports": {ExportFormat.SRT: "s3://audio/e.srt"},
            "source": example.source.model_copy(
                update={"uri": OBJECT.uri, "version_id": OBJECT.version_id, "sha256": SHA256}
            ),
            "transcript_uri": f"s3://audio/{ResultKeys('r/').transcript(content)}",
        }
    )
    return StoredJob(job_id=event.job_id, owner=Coordinates("t", 0, 0), content_key=content, event=event)


SAME: Final[list[dict[str, Any]]] = [
    {},
    {"lane": Lane.INTERACTIVE, "metadata": {}},
    {"options": OPTIONS.model_copy(update={"model": "any-name"})},
    {"options": OPTIONS.model_copy(update={"exports": ()})},
    {"enrich": None},
]
OTHER: Final[list[dict[str, Any]]] = [
    {"tenant": "other"},
    {"options": OPTIONS.model_copy(update={"beam_size": 1})},
    {"options": OPTIONS.model_copy(update={"exports": (ExportFormat.VTT,)})},
    {"enrich": EnrichOptions(profiles=("title",))},
]


@pytest.mark.parametrize("changed", SAME)
def test_a_repeated_request_is_the_same(changed: dict[str, Any]) -> None:
    """Lane, metadata and the model's name do not count, nor does requesting less."""
    assert is_same_as_accepted(asked(**changed), SHA256, accepted())
    assert is_same_as_accepted(asked(OBJECT, **changed), None, accepted(OBJECT))
    assert is_same_as_finished(asked(**changed), SHA256, finished())
    assert is_same_as_finished(asked(OBJECT, **changed), None, finished())


@pytest.mark.parametrize("changed", OTHER)
def test_a_request_for_something_else_is_not_the_same(changed: dict[str, Any]) -> None:
    """Another tenant, other options, exports or enrichment."""
    assert not is_same_as_accepted(asked(**changed), SHA256, accepted())
    assert not is_same_as_accepted(asked(OBJECT, **changed), None, accepted(OBJECT))
    assert not is_same_as_finished(asked(**changed), SHA256, finished())
    assert not is_same_as_finished(asked(OBJECT, **changed), None, finished())


def test_other_audio_is_not_the_same() -> None:
    """Other bytes, another object or version, and an upload against an object."""
    assert not is_same_as_accepted(asked(), "cd", accepted())
    assert not is_same_as_finished(asked(), "cd", finished())
    for other in (NamedObject("s3://audio/b.wav"), NamedObject(OBJECT.uri, "v2", "e1")):
        assert not is_same_as_accepted(asked(other), None, accepted(OBJECT))
        assert not is_same_as_finished(asked(other), None, finished())
    assert not is_same_as_accepted(asked(OBJECT), None, accepted())
    assert not is_same_as_accepted(asked(), SHA256, accepted(OBJECT))
    assert is_same_as_finished(asked(NamedObject(OBJECT.uri)), None, finished())
