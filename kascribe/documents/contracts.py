"""The contracts from which other teams generate code: their models and JSON Schemas."""

from typing import Any, Final

from kascribe.documents.json_schema import alone, schemas_of
from schemas.events import (
    AudioReference,
    CancellationEvent,
    EnrichmentEvent,
    Event,
    ProgressEvent,
    TranscriptEvent,
)
from schemas.kafka.deletions import DeletionEvent
from schemas.transcripts.transcript import Contract, Transcript
from schemas.webhooks.payloads import WebhookMessage

REQUESTS: Final[tuple[type[Event], ...]] = (AudioReference, CancellationEvent)
"""Written by other programs, and by Kascribe too."""

SENT: Final[tuple[type[Contract], ...]] = (
    TranscriptEvent,
    EnrichmentEvent,
    ProgressEvent,
    DeletionEvent,
    Transcript,
    WebhookMessage,
)
DOCUMENTED: Final[tuple[type[Contract], ...]] = (*REQUESTS, *SENT)
EVENTS: Final = tuple(model for model in DOCUMENTED if issubclass(model, Event))
SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return a JSON Schema per event and of the transcript, by the model's name.

    What other programs write may leave out fields with defaults; readers may rely on what Kascribe writes.
    """
    schemas = schemas_of(REQUESTS, SENT)
    return {model.__name__: {"$schema": SCHEMA_DIALECT, **alone(model.__name__, schemas)} for model in DOCUMENTED}
