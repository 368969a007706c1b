"""The topics as an AsyncAPI 3.0 document. Actions are Kascribe's: it sends transcripts, it receives references.

Source: AsyncAPI specification 3.0.0; Kafka bindings 0.5.0; CloudEvents Kafka protocol binding 1.0.2.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from schemas import dead_letters, history
from schemas.documents import ASKED, EVENTS, SENT
from schemas.events import (
    AudioReference,
    CancellationEvent,
    EnrichmentEvent,
    ProgressEvent,
    TranscriptEvent,
)
from schemas.json_schema import schemas_of
from schemas.topics import Topics, dead_letter_topic, retry_topic

VERSION: Final = "3.0.0"
BINDING_VERSION: Final = "0.5.0"
NOTIFICATION: Final = "ObjectNotification"
RETRIED: Final = "RetriedRecord"
DEAD_LETTER: Final = "DeadLetter"
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


CHANNELS: Final = (
    Channel(
        "references",
        _TOPICS.references,
        AudioReference.__name__,
        "Chosen by the publisher; ours is the job's id.",
        "Please transcribe this object.",
        ("receive", "send"),
    ),
    Channel(
        "objects",
        _TOPICS.objects,
        NOTIFICATION,
        "Chosen by the object store; ours is `bucket/key`.",
        "Bucket notifications as they are: MinIO, RustFS, Ceph, AWS (direct, or in SNS, SQS, EventBridge). "
        "One about several objects is split: one for each goes back on the topic.",
        ("receive", "send"),
    ),
    Channel(
        "transcripts",
        _TOPICS.transcripts,
        TranscriptEvent.__name__,
        "The job's id.",
        "A job is transcribed. Long bodies are in the bucket, at `transcript_uri`.",
        ("send", "receive"),
    ),
    Channel(
        "enrichments",
        _TOPICS.enrichments,
        EnrichmentEvent.__name__,
        "The job's id.",
        "What the language model made of a transcript.",
        ("send",),
    ),
    Channel(
        "progress",
        _TOPICS.progress,
        ProgressEvent.__name__,
        "The job's id.",
        "How far a job is: best effort, with one reliable last event.",
        ("send",),
    ),
    Channel(
        "cancellations",
        _TOPICS.cancellations,
        CancellationEvent.__name__,
        "The job's id.",
        "Nobody wants this job any more.",
        ("receive", "send"),
    ),
)
TROUBLE: Final = (
    Channel(
        "retries",
        "{topic}.retry.{delay}",
        RETRIED,
        "As it was.",
        "A record that failed for a reason that may pass, until it is due again.",
        ("send", "receive"),
    ),
    Channel(
        "deadLetters",
        "{topic}.dlq",
        DEAD_LETTER,
        "As it was.",
        "A record that cannot be processed, unchanged, with the reason in its headers.",
        ("send",),
    ),
)
RETRIED_TOPICS: Final = (_TOPICS.references, _TOPICS.objects, _TOPICS.transcripts)
REFUSED_TOPICS: Final = (*RETRIED_TOPICS, _TOPICS.enrichments)
"""Of what we publish, too large an event ends in the dead-letter topic of its own topic."""


def asyncapi(version: str) -> dict[str, Any]:
    """The document, ready to be written as JSON or YAML. ``version`` is Kascribe's."""
    channels = (*CHANNELS, *TROUBLE)
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
            "messages": {channel.message: _message(channel) for channel in channels},
            "schemas": _schemas(),
        },
    }


def _channel(channel: Channel) -> dict[str, Any]:
    described: dict[str, Any] = {
        "address": channel.address,
        "description": channel.meaning,
        "messages": {channel.message: {"$ref": f"#/components/messages/{channel.message}"}},
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
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.message}"}],
    }


def _message(channel: Channel) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": channel.message,
        "summary": channel.meaning,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{channel.message}"},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": channel.key}, "bindingVersion": BINDING_VERSION}
        },
    }
    if any(event.__name__ == channel.message for event in EVENTS):
        message["headers"] = {"$ref": "#/components/schemas/EventHeaders"}
    elif channel.message == DEAD_LETTER:
        message["headers"] = {"$ref": "#/components/schemas/DeadLetterHeaders"}
    elif channel.message == RETRIED:
        message["headers"] = {"$ref": "#/components/schemas/RetryHeaders"}
    return message


def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = schemas_of(ASKED, SENT, reference="#/components/schemas/{model}")
    schemas[NOTIFICATION] = {"type": "object", "description": "In the words of the store that sends it."}
    schemas[RETRIED] = {"description": "The original value, byte for byte."}
    schemas[DEAD_LETTER] = {"description": "The original value, byte for byte; it need not be JSON."}
    schemas["EventHeaders"] = _headers(
        {
            "ce_specversion": "1.0",
            "ce_id": "The event's id.",
            "ce_type": "Such as kascribe.audio.transcript.v1.",
            "ce_source": "Who published it.",
            "ce_time": "When it occurred, RFC 3339.",
            "content-type": "application/json",
            "traceparent": "W3C trace context; a job keeps its trace through every topic.",
        }
    )
    schemas["RetryHeaders"] = _headers(
        {
            history.ATTEMPT: "The attempt to run next, from 1.",
            history.DUE_MS: "Not to be run before, milliseconds since 1970.",
            history.ORIGIN_TOPIC: "Where the record was first read.",
            history.ORIGIN_PARTITION: "Its partition there.",
            history.ORIGIN_OFFSET: "Its offset there.",
            history.FIRST_SEEN_MS: "When it was first read.",
        }
    )
    schemas["DeadLetterHeaders"] = _headers(
        {
            dead_letters.REASON: "One of the words in reasons.md.",
            dead_letters.ERROR_MESSAGE: "The sentence for people.",
            dead_letters.STAGE: "The consumer that gave up.",
            dead_letters.FAILED_MS: "When it did, milliseconds since 1970.",
        }
    )
    return dict(sorted(schemas.items()))


def _headers(meanings: dict[str, str]) -> dict[str, Any]:
    properties = {name: {"type": "string", "description": meaning} for name, meaning in meanings.items()}
    return {"type": "object", "properties": properties}


def topic_rows(retry_delays_seconds: tuple[int, ...]) -> list[tuple[str, str, str, str, str]]:
    """Topic, value, key, what Kascribe does there, meaning: a row each, the retry and dead-letter topics last."""
    rows = [
        (f"`{each.address}`", each.message, each.key, ", ".join(each.actions), each.meaning) for each in CHANNELS
    ]
    retried, refused = TROUBLE
    for topic in RETRIED_TOPICS:
        names = ", ".join(f"`{retry_topic(topic, delay)}`" for delay in retry_delays_seconds)
        rows.append(_trouble_row(names, retried))
    return rows + [_trouble_row(f"`{dead_letter_topic(topic)}`", refused) for topic in REFUSED_TOPICS]


def _trouble_row(names: str, channel: Channel) -> tuple[str, str, str, str, str]:
    return (names, channel.message, channel.key, ", ".join(channel.actions), channel.meaning)
