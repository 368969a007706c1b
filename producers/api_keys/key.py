"""An API key: its tenant, its rights and its limits."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from producers.api_keys.rights import Right
from schemas.moments import Moment
from schemas.options import Lane
from schemas.transcripts.transcript import Contract
from schemas.webhooks.addresses import WebhookUrl

Limit = Annotated[int, Field(ge=1, le=10**15)]


class KeyState(StrEnum):
    """Whether a key is accepted."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class _Whole(Contract):
    """Refuses unknown fields: a gateway that ignored a later release's limit would grant too much."""

    model_config = ConfigDict(extra="forbid")


class KeyLimits(_Whole):
    """What a key may use; None is no limit. Bytes are those of requests' bodies, per day in UTC.

    Rate and concurrency are counted by each gateway, bytes by all together.
    """

    requests_per_minute: Annotated[int, Field(ge=1, le=60_000)] | None = None
    concurrent_requests: Limit | None = None
    concurrent_streams: Limit | None = None
    bytes_per_day: Limit | None = None


class KeyDefaults(_Whole):
    """What applies to requests that do not give it: fields of TranscribeOptions and EnrichOptions, a webhook."""

    transcribe: dict[str, Any] = Field(default_factory=dict)
    enrich: dict[str, Any] = Field(default_factory=dict)
    webhook_url: WebhookUrl | None = None


class ApiKey(_Whole):
    """A stored key. Nothing in it gives access: its secret is not stored."""

    schema_version: str = "1.0"
    id: str
    name: str
    tenant: Annotated[str, Field(min_length=1, max_length=128)]
    rights: tuple[Right, ...]
    lane: Lane = Lane.INTERACTIVE
    """The best lane that it may use."""
    limits: KeyLimits = KeyLimits()
    defaults: KeyDefaults = KeyDefaults()
    created_at: Moment
    expires_at: Moment | None = None
    revoked_at: Moment | None = None

    def state_at(self, now: datetime) -> KeyState:
        """Return whether the key is accepted at a moment."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        is_expired = self.expires_at is not None and self.expires_at <= now
        return KeyState.EXPIRED if is_expired else KeyState.ACTIVE
