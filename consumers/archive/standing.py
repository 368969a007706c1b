"""How a job stands by everything that the archive has heard of it. Pure.

A standing keeps the latest event of each kind and the first request, so the order in which events arrive, and how
often, makes no difference. What is shown follows from it: see ``consumers.archive.columns``.
"""

from collections.abc import Mapping

from pydantic import Field

from schemas.events import FINAL_PHASES, Phase
from schemas.roles import Role
from schemas.transcripts.transcript import Contract

FAILURES_KEPT = 8
"""Stored failures of one job that are remembered; a job has one for each request that failed."""


class Caller(Contract):
    """The request's words about the job, which its events repeat."""

    tenant: str = "default"
    lane: str = "bulk"
    metadata: dict[str, str] = Field(default_factory=dict)
    idempotency_key: str | None = None


class Request(Contract):
    """A reference to audio, or a dropped object."""

    at_ms: int
    event_id: str
    caller: Caller
    uri: str
    version_id: str | None = None
    task: str | None = None


class Transcription(Contract):
    """A transcript event."""

    at_ms: int
    event_id: str
    requested_at_ms: int
    caller: Caller
    uri: str
    version_id: str | None = None
    status: str
    language: str | None = None
    languages: tuple[str, ...] = ()
    model: str
    task: str | None = None
    audio_duration_seconds: float
    speech_duration_seconds: float
    processing_seconds: float | None = None
    flags: tuple[str, ...] = ()
    transcript_uri: str
    content_key: str
    reused: bool = False
    preview: str = ""
    enrichment_id: str | None = Field(default=None, description="Of the enrichment that the job itself requests.")


class Step(Contract):
    """A progress event."""

    at_ms: int
    event_id: str
    stage: str
    phase: Phase
    caller: Caller
    fraction: float | None = None
    reason: str | None = None
    message: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether the stage has ended with it."""
        return self.phase in FINAL_PHASES


class StoredFailure(Contract):
    """A failed request, as the bucket has it."""

    at_ms: int
    reason: str
    message: str
    tenant: str | None = None


class Standing(Contract):
    """All of that. ``ended`` and ``running`` have the last final and the last other event of each stage."""

    first: Request | None = None
    latest: Request | None = None
    asked_at_ms: int = Field(default=0, description="When the job was last requested, or accepted.")
    transcription: Transcription | None = None
    ended: dict[str, Step] = Field(default_factory=dict)
    running: dict[str, Step] = Field(default_factory=dict)
    failures: dict[str, StoredFailure] = Field(default_factory=dict)
    enrichments: dict[str, int] = Field(default_factory=dict, description="Digest of the options to its time.")

    @property
    def is_founded(self) -> bool:
        """Whether a request, or what only follows from one, is known."""
        return bool(self.asked_at_ms or self.latest or self.transcription)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known."""
        return self == _NOTHING

    def requested(self, request: Request) -> "Standing":
        """Return the standing with a request."""
        first, latest = self.first, self.latest
        return self._with(
            first=request if first is None or _order(request) < _order(first) else first,
            latest=request if latest is None or _order(request) > _order(latest) else latest,
            asked_at_ms=max(self.asked_at_ms, request.at_ms),
        )

    def transcribed(self, transcription: Transcription) -> "Standing":
        """Return the standing with a transcript."""
        known = self.transcription
        is_later = known is None or _order(transcription) > _order(known)
        return self._with(transcription=transcription) if is_later else self

    def stepped(self, step: Step) -> "Standing":
        """Return the standing with a progress event."""
        name = "ended" if step.is_final else "running"
        steps: Mapping[str, Step] = getattr(self, name)
        known = steps.get(step.stage)
        asked = step.at_ms if step.phase is Phase.ACCEPTED and step.stage == Role.TRANSCRIBER else 0
        changes: dict[str, object] = {"asked_at_ms": max(self.asked_at_ms, asked)}
        if known is None or _order(step) > _order(known):
            changes[name] = {**steps, step.stage: step}
        return self._with(**changes)

    def failed(self, digest: str, failure: StoredFailure) -> "Standing":
        """Return the standing with a stored failure."""
        known = self.failures.get(digest)
        if known is not None and known.at_ms >= failure.at_ms:
            return self
        failures = {**self.failures, digest: failure}
        kept = sorted(failures.items(), key=lambda entry: (entry[1].at_ms, entry[0]))[-FAILURES_KEPT:]
        return self._with(failures=dict(sorted(kept)))

    def enriched(self, enrichment_id: str, at_ms: int) -> "Standing":
        """Return the standing with an enrichment."""
        if self.enrichments.get(enrichment_id, -1) >= at_ms:
            return self
        return self._with(enrichments=dict(sorted({**self.enrichments, enrichment_id: at_ms}.items())))

    def after_deletion(self, deleted_at_ms: int) -> "Standing":
        """Return what is known from after a deletion: nothing, unless the job was requested again."""

        def is_later(known: Request | Transcription | None) -> bool:
            return known is not None and known.at_ms > deleted_at_ms

        left = Standing(
            first=self.first if is_later(self.first) else self.latest if is_later(self.latest) else None,
            latest=self.latest if is_later(self.latest) else None,
            asked_at_ms=self.asked_at_ms if self.asked_at_ms > deleted_at_ms else 0,
            transcription=self.transcription if is_later(self.transcription) else None,
            ended={stage: step for stage, step in self.ended.items() if step.at_ms > deleted_at_ms},
            running={stage: step for stage, step in self.running.items() if step.at_ms > deleted_at_ms},
            failures={name: each for name, each in self.failures.items() if each.at_ms > deleted_at_ms},
            enrichments={name: at_ms for name, at_ms in self.enrichments.items() if at_ms > deleted_at_ms},
        )
        # The last events of attempts that the deletion met are no job.
        return left if left.is_founded else _NOTHING

    def _with(self, **changes: object) -> "Standing":
        return self.model_copy(update=changes)


_NOTHING = Standing()


def _order(event: Request | Transcription | Step) -> tuple[int, str]:
    return (event.at_ms, event.event_id)
