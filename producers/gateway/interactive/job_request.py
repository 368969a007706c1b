"""The job of one request: the request, its answer, and the errors of an answer that does not arrive."""

from dataclasses import dataclass
from typing import ClassVar

from schemas import identity
from schemas.events import EnrichmentEvent, TranscriptEvent
from schemas.kafka.trace import Trace
from schemas.options import EnrichOptions, Lane, TranscribeOptions
from schemas.transcripts.transcript import Transcript


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A checked request. ``is_repeatable``: the client chose the key, and may repeat the request.

    ``needs_body``: the answer takes more from the transcript than its event has.
    """

    file_name: str
    content_type: str | None
    idempotency_key: str
    is_repeatable: bool
    options: TranscribeOptions
    enrich: EnrichOptions | None
    tenant: str
    trace: Trace
    needs_body: bool = False
    lane: Lane = Lane.INTERACTIVE

    @property
    def job_id(self) -> str:
        """The job that the key names."""
        return identity.job_id(self.idempotency_key)


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """The answer to a request; ``text`` is complete, whatever its length. ``body``: where the request needs it."""

    transcript: TranscriptEvent
    text: str
    enrichment: EnrichmentEvent | None
    body: Transcript | None = None


class KeyReused(Exception):
    """The idempotency key names a job of another tenant, of other audio or of other options."""


class AnswerTimeout(Exception):
    """The answer did not arrive in time."""

    reason: ClassVar[str]

    def __init__(self, request: JobRequest, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.job_id = request.job_id
        self.idempotency_key = request.idempotency_key


class TranscriptTimeout(AnswerTimeout):
    """There is no transcript yet."""

    reason = "answer_timeout"


class EnrichmentTimeout(AnswerTimeout):
    """There is a transcript; its enrichment is still in progress."""

    reason = "enrichment_timeout"
