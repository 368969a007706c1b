"""The topics as an AsyncAPI 3.0 document. Actions are Kascribe's: it sends transcripts, it receives references.

Source: AsyncAPI specification 3.0.0; Kafka bindings 0.5.0; CloudEvents Kafka protocol binding 1.0.2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from kascribe.documents.contracts import EVENTS, REQUESTS, SENT
from kascribe.documents.event_examples import EXAMPLES
from kascribe.documents.json_schema import schemas_of
from schemas.events import (
    AudioReference,
    CancellationEvent,
    EnrichmentEvent,
    Event,
    ProgressEvent,
    TranscriptEvent,
)
from schemas.kafka.headers import DEAD_LETTER as DEAD_LETTER_HEADERS
from schemas.kafka.headers import OVERSIZE_LETTER as OVERSIZE_HEADERS
from schemas.kafka.headers import RETRY, Header, example_of, of_event, schema_of
from schemas.kafka.topics import Topics, dead_letter_topic, retry_topic, topics_with_letters

VERSION: Final = "3.0.0"
BINDING_VERSION: Final = "0.5.0"
NOTIFICATION: Final = "ObjectNotification"
RETRIED: Final = "RetriedRecord"
DEAD_LETTER: Final = "DeadLetter"
OVERSIZE_LETTER: Final = "OversizeLetter"
_TOPICS: Final = Topics()


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic. ``actions`` are what Kascribe does there."""

    name: str
    address: str
    message: str
    key: str
    meaning: str
    actions: tuple[Literal["send", "receive"], ...]
    title: str

    @property
    def messages(self) -> tuple[str, ...]:
        """The messages that may be on it."""
        return (self.message, OVERSIZE_LETTER) if self.message == DEAD_LETTER else (self.message,)


CHANNELS: Final = (
    Channel(
        "references",
        _TOPICS.references,
        AudioReference.__name__,
        "Chosen by the publisher; ours is the job's id.",
        "Please transcribe this object.",
        ("receive", "send"),
        "Reference to audio",
    ),
    Channel(
        "objects",
        _TOPICS.objects,
        NOTIFICATION,
        "Chosen by the object store; ours is `bucket/key`.",
        "Bucket notifications as they are: MinIO, RustFS, Ceph, AWS (direct, or in SNS, SQS, EventBridge). "
        "One about several objects is split: one for each goes back on the topic.",
        ("receive", "send"),
        "Bucket notification",
    ),
    Channel(
        "transcripts",
        _TOPICS.transcripts,
        TranscriptEvent.__name__,
        "The job's id.",
        "A job is transcribed. Long bodies are in the bucket, at `transcript_uri`.",
        ("send", "receive"),
        "Transcript",
    ),
    Channel(
        "enrichments",
        _TOPICS.enrichments,
        EnrichmentEvent.__name__,
        "The job's id.",
        "What the language model made of a transcript.",
        ("send",),
        "Enrichment",
    ),
    Channel(
        "progress",
        _TOPICS.progress,
        ProgressEvent.__name__,
        "The job's id.",
        "How far a job is: best effort, with one reliable last event.",
        ("send",),
        "Progress of a job",
    ),
    Channel(
        "cancellations",
        _TOPICS.cancellations,
        CancellationEvent.__name__,
        "The job's id.",
        "A caller cancels a job, or its own references to it.",
        ("receive", "send"),
        "Cancellation",
    ),
)
FAILURE_CHANNELS: Final = (
    Channel(
        "retries",
        "{topic}.retry.{delay}",
        RETRIED,
        "As it was.",
        "A record that failed for a reason that may pass, until it is due again.",
        ("send", "receive"),
        "Record to be tried again",
    ),
    Channel(
        "deadLetters",
        "{topic}.dlq",
        DEAD_LETTER,
        "As it was.",
        "A record that cannot be processed, unchanged, with the reason in its headers.",
        ("send",),
        "Dead letter",
    ),
)
RETRIED_TOPICS: Final = (_TOPICS.references, _TOPICS.objects, _TOPICS.transcripts)
REFUSED_TOPICS: Final = topics_with_letters(_TOPICS)


def asyncapi(version: str) -> dict[str, Any]:
    """Return the document, ready to be written as JSON or YAML. ``version`` is Kascribe's."""
    channels = (*CHANNELS, *FAILURE_CHANNELS)
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Kascribe",
            "version": version,
            "description": "Audio references in, transcripts and enriched transcripts out. A prefix may stand "
            "before every topic's name: KASCRIBE_KAFKA_TOPIC_PREFIX.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {channel.name: _channel(channel) for channel in channels},
        "operations": {
            f"{action}{channel.name[0].upper()}{channel.name[1:]}": _operation(channel, action)
            for channel in channels
            for action in channel.actions
        },
        "components": {
            "messages": {channel.message: _message(channel) for channel in channels}
            | {OVERSIZE_LETTER: _OVERSIZE},
            "schemas": _schemas(),
        },
    }


def _channel(channel: Channel) -> dict[str, Any]:
    described: dict[str, Any] = {
        "address": channel.address,
        "description": channel.meaning,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in channel.messages},
    }
    if "{topic}" in channel.address:
        described["parameters"] = {
            "topic": {
                "description": "The topic that it stood on, or should have.",
                "enum": list(REFUSED_TOPICS if channel.message == DEAD_LETTER else RETRIED_TOPICS),
            }
        }
    if "{delay}" in channel.address:
        described["parameters"]["delay"] = {
            "description": "From KASCRIBE_RUNTIME_RETRY_DELAYS_SECONDS.",
            "examples": [retry_topic("t", delay).removeprefix("t.retry.") for delay in (10, 60, 600)],
        }
    return described


def _operation(channel: Channel, action: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{name}"} for name in channel.messages],
    }


def _message(channel: Channel) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": channel.message,
        "title": channel.title,
        "summary": channel.meaning,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{channel.message}"},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": channel.key}, "bindingVersion": BINDING_VERSION}
        },
    }
    kind = next((event for event in EVENTS if event.__name__ == channel.message), None)
    if kind is not None:
        headers = of_event(kind)
        message["headers"] = schema_of(headers)
        if kind in REQUESTS:
            # Publishers need not write them: only the value is read.
            message["headers"].pop("required")
        message["examples"] = [_example(kind, headers)]
    elif channel.message in _HEADERS:
        message["headers"] = schema_of(_HEADERS[channel.message])
        message["examples"] = [{"name": channel.message, "headers": example_of(_HEADERS[channel.message])}]
    return message


_HEADERS: Final = {RETRIED: RETRY, DEAD_LETTER: DEAD_LETTER_HEADERS}
_OVERSIZE: Final[dict[str, Any]] = {
    "name": OVERSIZE_LETTER,
    "title": "Dead letter of an output that was too large",
    "summary": "The broker refused an event for its size. It has no value; its headers say what it was made of.",
    "payload": {"$ref": f"#/components/schemas/{OVERSIZE_LETTER}"},
    "headers": schema_of(OVERSIZE_HEADERS),
    "examples": [{"name": OVERSIZE_LETTER, "headers": example_of(OVERSIZE_HEADERS)}],
    "bindings": {
        "kafka": {"key": {"type": "string", "description": "As it was."}, "bindingVersion": BINDING_VERSION}
    },
}


def _example(kind: type[Event], headers: Iterable[Header]) -> dict[str, Any]:
    event = kind.model_validate(EXAMPLES[kind])
    return {
        "name": kind.__name__,
        "summary": "With every field that it may have.",
        "headers": example_of(headers),
        "payload": event.model_dump(mode="json", exclude_none=True),
    }


def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = schemas_of(REQUESTS, SENT, reference="#/components/schemas/{model}")
    schemas[NOTIFICATION] = {"type": "object", "description": "In the words of the store that sends it."}
    schemas[RETRIED] = {"description": "The original value, byte for byte."}
    schemas[DEAD_LETTER] = {"description": "The original value, byte for byte; it need not be JSON."}
    schemas[OVERSIZE_LETTER] = {"type": "null", "description": "No value."}
    return dict(sorted(schemas.items()))


def topic_rows(retry_delays_seconds: tuple[int, ...]) -> list[tuple[str, str, str, str, str]]:
    """Return a row per topic: topic, value, key, actions, meaning; the retry and dead-letter topics last."""
    rows = [
        (f"`{each.address}`", each.message, each.key, ", ".join(each.actions), each.meaning) for each in CHANNELS
    ]
    retried, refused = FAILURE_CHANNELS
    for topic in RETRIED_TOPICS:
        names = ", ".join(f"`{retry_topic(topic, delay)}`" for delay in retry_delays_seconds)
        rows.append(_failure_row(names, retried))
    rows += [_failure_row(f"`{dead_letter_topic(topic)}`", refused) for topic in RETRIED_TOPICS]
    outputs = ", ".join(f"`{dead_letter_topic(each)}`" for each in REFUSED_TOPICS if each not in RETRIED_TOPICS)
    return [*rows, (outputs, OVERSIZE_LETTER, "As it was.", "send", _OVERSIZE["summary"])]


def _failure_row(names: str, channel: Channel) -> tuple[str, str, str, str, str]:
    return (names, channel.message, channel.key, ", ".join(channel.actions), channel.meaning)
