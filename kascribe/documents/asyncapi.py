"""The topics as an AsyncAPI 3.1 document. Actions are Kascribe's: it sends transcripts, it receives references.

Source: AsyncAPI specification 3.1.0, which adds a binding to 3.0.0 that is not used here; Kafka bindings 0.5.0;
CloudEvents Kafka protocol binding 1.0.2.
"""

from collections.abc import Iterable
from typing import Any, Final

from kascribe.documents.channels import (
    CHANNELS,
    DEAD_LETTER,
    FAILURE_CHANNELS,
    NOTIFICATION,
    OVERSIZE_LETTER,
    OVERSIZE_SUMMARY,
    REFUSED_TOPICS,
    RETRIED,
    RETRIED_TOPICS,
    Channel,
)
from kascribe.documents.contracts import EVENTS, REQUESTS, SENT
from kascribe.documents.event_examples import EXAMPLES, NOTIFICATION_EXAMPLE
from kascribe.documents.json_schema import schemas_of
from kascribe.documents.servers import SECURITY_SCHEMES, SERVERS
from schemas.events import AudioReference, Event
from schemas.kafka.headers import DEAD_LETTER as DEAD_LETTER_HEADERS
from schemas.kafka.headers import OVERSIZE_LETTER as OVERSIZE_HEADERS
from schemas.kafka.headers import RETRY, Header, example_of, of_event, schema_of
from schemas.kafka.topics import retry_topic

VERSION: Final = "3.1.0"
BINDING_VERSION: Final = "0.5.0"
LICENSE: Final = {"name": "MIT", "url": "https://opensource.org/license/mit"}
_HEADERS: Final = {RETRIED: RETRY, DEAD_LETTER: DEAD_LETTER_HEADERS, OVERSIZE_LETTER: OVERSIZE_HEADERS}
_VERBS: Final = {"send": "Kascribe sends", "receive": "Kascribe receives"}

Document = dict[str, Any]


def asyncapi(version: str) -> Document:
    """Return the document, ready to be written as JSON or YAML. ``version`` is Kascribe's."""
    channels = (*CHANNELS, *FAILURE_CHANNELS)
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Kascribe",
            "version": version,
            "description": "Audio references in, transcripts and enriched transcripts out. A prefix may stand "
            "before every topic's name: KASCRIBE_KAFKA_TOPIC_PREFIX.",
            "license": LICENSE,
        },
        "defaultContentType": "application/json",
        "servers": SERVERS,
        "channels": {channel.name: _channel(channel) for channel in channels},
        "operations": {
            f"{action}{channel.name[0].upper()}{channel.name[1:]}": _operation(channel, action)
            for channel in channels
            for action in channel.actions
        },
        "components": {
            "messages": {channel.message: _message(channel) for channel in channels}
            | {OVERSIZE_LETTER: _oversize()},
            "schemas": _schemas(),
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _channel(channel: Channel) -> Document:
    described: Document = {
        "address": channel.address,
        "title": channel.title,
        "description": channel.meaning,
        "servers": [{"$ref": f"#/servers/{name}"} for name in SERVERS],
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


def _operation(channel: Channel, action: str) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": f"{_VERBS[action]}: {channel.title[0].lower()}{channel.title[1:]}.",
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{name}"} for name in channel.messages],
    }


def _message(channel: Channel) -> Document:
    message = _described(channel.message, channel.title, channel.meaning, key=channel.key)
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
        message["examples"] = [_letter(channel.message)]
    else:
        message["examples"] = [NOTIFICATION_EXAMPLE]
    return message


def _oversize() -> Document:
    described = _described(
        OVERSIZE_LETTER, "Dead letter of an output that was too large", OVERSIZE_SUMMARY, key="As it was."
    )
    described["headers"] = schema_of(OVERSIZE_HEADERS)
    described["examples"] = [{"name": OVERSIZE_LETTER, "headers": example_of(OVERSIZE_HEADERS)}]
    return described


def _described(name: str, title: str, summary: str, *, key: str) -> Document:
    return {
        "name": name,
        "title": title,
        "summary": summary,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": BINDING_VERSION}},
    }


def _example(kind: type[Event], headers: Iterable[Header]) -> Document:
    return {
        "name": kind.__name__,
        "summary": "With every field that it may have.",
        "headers": example_of(headers),
        "payload": _payload(kind),
    }


def _letter(message: str) -> Document:
    return {
        "name": message,
        "summary": "Of a reference to audio.",
        "headers": example_of(_HEADERS[message]),
        "payload": _payload(AudioReference),
    }


def _payload(kind: type[Event]) -> Document:
    return kind.model_validate(EXAMPLES[kind]).model_dump(mode="json", exclude_none=True)


def _schemas() -> Document:
    schemas: Document = schemas_of(REQUESTS, SENT, reference="#/components/schemas/{model}")
    schemas[NOTIFICATION] = {"type": "object", "description": "In the words of the store that sends it."}
    schemas[RETRIED] = {"description": "The original value, byte for byte."}
    schemas[DEAD_LETTER] = {"description": "The original value, byte for byte; it need not be JSON."}
    schemas[OVERSIZE_LETTER] = {"type": "null", "description": "No value."}
    return dict(sorted(schemas.items()))
