"""The row of a job, as it follows from its standing. Pure.

The rules are those of ``GET /v1/jobs/{id}``, which knows the bucket besides: a transcript decides, then the last
end of the transcriber, unless the job was requested again after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from consumers.archive.standing import Caller, Request, Standing, Step, StoredFailure, Transcription
from schemas.errors import Reason
from schemas.events import Phase
from schemas.roles import Role

NAME_CHARACTERS = 512
"""Longer names are cut: an index of PostgreSQL refuses texts of more than 2,704 bytes."""

NUL = "\x00"
"""PostgreSQL stores no text with it."""


@dataclass(frozen=True, slots=True)
class _Shown:
    phase: Phase
    stage: str
    at_ms: int
    fraction: float | None = None
    reason: str | None = None
    message: str | None = None

    @property
    def finished_at_ms(self) -> int | None:
        return self.at_ms if self.phase in (Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED) else None


def columns_of(standing: Standing) -> dict[str, Any]:
    """Return the columns of a job that something is known of, without number, job_id and enrichment_count."""
    request, done = _request(standing), standing.transcription
    shown = _enriching(standing, done) if done else _transcribing(standing)
    caller = done.caller if done else request.caller if request else _callers(standing)
    uri = done.uri if done else request.uri if request else None
    columns = {
        "tenant": caller.tenant,
        "idempotency_key": caller.idempotency_key,
        "name": name_of(uri),
        "source_uri": uri,
        "source_version_id": done.version_id if done else request.version_id if request else None,
        "lane": caller.lane,
        "metadata": caller.metadata,
        "phase": shown.phase,
        "stage": shown.stage,
        "fraction": shown.fraction,
        "task": (done.task if done else None) or (request.task if request else None),
        "created_at_ms": created_at_ms(standing),
        "updated_at_ms": shown.at_ms,
        "finished_at_ms": shown.finished_at_ms,
        "failure_reason": shown.reason,
        "failure_message": shown.message,
        **_of_transcript(done),
        "standing": standing.model_dump(mode="json", exclude_defaults=True),
    }
    return {name: storable(value) for name, value in columns.items()}


def created_at_ms(standing: Standing) -> int:
    """Return the first time that is known of a job."""
    return min(_times(standing))


def name_of(uri: str | None) -> str:
    """Return the last part of an address, the file's name."""
    return (uri or "").rstrip("/").rsplit("/", 1)[-1][:NAME_CHARACTERS]


def storable(value: Any) -> Any:
    """Return a value without the character that PostgreSQL does not store."""
    if isinstance(value, str):
        return str(value).replace(NUL, "")
    if isinstance(value, dict):
        return {storable(name): storable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value


def _of_transcript(done: Transcription | None) -> dict[str, Any]:
    names = (
        *("status", "language", "languages", "model", "audio_duration_seconds", "speech_duration_seconds"),
        *("processing_seconds", "flags", "transcript_uri", "content_key", "reused"),
    )
    absent = {"languages": (), "flags": (), "reused": False}
    found = {name: getattr(done, name) if done else absent.get(name) for name in names}
    return {**found, "text_preview": done.preview if done else None}


def _request(standing: Standing) -> Request | None:
    """Return the latest request of the tenant that requested the job first; another one may reuse its key."""
    first, latest = standing.first, standing.latest
    return latest if first and latest and latest.caller.tenant == first.caller.tenant else first


def _callers(standing: Standing) -> Caller:
    """Return what the first progress event says of the caller; of a stored failure only the tenant is known."""
    steps = [*standing.ended.values(), *standing.running.values()]
    if steps:
        return min(steps, key=lambda step: (step.at_ms, step.event_id)).caller
    tenants = [each.tenant for each in standing.failures.values() if each.tenant]
    return Caller(tenant=tenants[0] if tenants else "")


def _transcribing(standing: Standing) -> _Shown:
    ended, running = standing.ended.get(Role.TRANSCRIBER), standing.running.get(Role.TRANSCRIBER)
    end = _latest_end(ended, _stored_failure(standing))
    if end is not None and end.at_ms >= standing.asked_at_ms:
        return end
    if running is not None and (end is None or running.at_ms >= standing.asked_at_ms):
        return _as_reported(running)
    if standing.asked_at_ms:
        return _Shown(Phase.ACCEPTED, Role.TRANSCRIBER, standing.asked_at_ms)
    # Only the enricher was heard so far: the transcript is about to come.
    latest = max(_times(standing))
    return _Shown(Phase.COMPLETED, Role.TRANSCRIBER, latest, fraction=1.0)


def _enriching(standing: Standing, done: Transcription) -> _Shown:
    ended, running = standing.ended.get(Role.ENRICHER), standing.running.get(Role.ENRICHER)
    if running is not None and (ended is None or running.at_ms > ended.at_ms):
        last_enrichment = max(standing.enrichments.values(), default=0)
        if running.at_ms > last_enrichment:
            return _as_reported(running)
    own = done.enrichment_id
    if own is None:
        return _Shown(Phase.COMPLETED, Role.TRANSCRIBER, done.at_ms, fraction=1.0)
    if own in standing.enrichments:
        return _Shown(Phase.COMPLETED, Role.ENRICHER, standing.enrichments[own], fraction=1.0)
    if ended is not None:
        return _as_reported(ended)
    return _Shown(Phase.ENRICHING, Role.ENRICHER, done.at_ms)


def _as_reported(step: Step) -> _Shown:
    return _Shown(step.phase, step.stage, step.at_ms, step.fraction, step.reason, step.message)


def _stored_failure(standing: Standing) -> StoredFailure | None:
    """Return the last stored failure; that of a reused key if there is no other: it is none of the job."""
    failures = standing.failures.values()
    return max(failures, key=lambda each: (each.reason != Reason.KEY_REUSED, each.at_ms), default=None)


def _latest_end(ended: Step | None, failure: StoredFailure | None) -> _Shown | None:
    if failure is not None and (ended is None or failure.at_ms > ended.at_ms):
        return _Shown(
            Phase.FAILED, Role.TRANSCRIBER, failure.at_ms, reason=failure.reason, message=failure.message
        )
    return _as_reported(ended) if ended is not None else None


def _times(standing: Standing) -> Iterator[int]:
    if standing.first:
        yield standing.first.at_ms
    if standing.transcription:
        yield standing.transcription.requested_at_ms
    if standing.asked_at_ms:
        yield standing.asked_at_ms
    yield from (step.at_ms for step in (*standing.ended.values(), *standing.running.values()))
    yield from (failure.at_ms for failure in standing.failures.values())
    yield from standing.enrichments.values()
