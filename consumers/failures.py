"""Failures are claimed as results are: of the copies of one request, one is dead-lettered and told."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

import structlog

from consumers.runtime.stage import FollowsAnother, Job
from schemas import identity
from schemas.errors import JobCancelled, JobError, Reason
from schemas.kafka.dead_letters import MESSAGE_CHARACTERS_LIMIT, REDRIVEN_FROM
from schemas.results import FailedRequest

_log: Final = structlog.get_logger(__name__)


class FailureStore(Protocol):
    """Where failures are kept. Blocks, is safe to repeat, and raises DependencyDown."""

    def claim_failure(self, failed: FailedRequest) -> FailedRequest:
        """Stores it unless a copy of the request did; the one that is stored."""
        ...


def is_told_already(
    job: Job,
    error: Exception,
    store: FailureStore,
    *,
    job_id: str,
    request: tuple[str, datetime],
    now: Callable[[], datetime],
) -> bool:
    """Whether another record with the same request has failed and is told; claims the failure if not. Blocks.

    ``request`` is the event's id and time, which copies of it share: a request that is made again later fails for
    itself. So does a letter that was redriven, whose own letter must not vanish. Raises DependencyDown instead of
    ``error`` while the store may still come back for this attempt.
    """
    if not job.is_final(error) or _is_redriven(job):
        return False
    event_id, occurred_at = request
    reason = error.reason if isinstance(error, JobError) else Reason.INTERNAL_ERROR
    failed = FailedRequest(
        job_id=job_id,
        owner=job.origin,
        request_digest=identity.request_digest(event_id, occurred_at.isoformat()),
        reason=reason,
        message=str(error)[:MESSAGE_CHARACTERS_LIMIT],
        failed_at=now(),
    )
    try:
        claimed = store.claim_failure(failed)
    except JobError as trouble:
        if job.is_final(trouble):
            return False
        raise
    if claimed.owner == job.origin:
        return False
    _log.info("failure_told_by_another_record", origin=str(job.origin), owner=str(claimed.owner))
    return True


def is_failure(error: Exception) -> bool:
    """Whether an attempt that ended with ``error`` failed, rather than stopped or made way for another record."""
    return not isinstance(error, JobCancelled | FollowsAnother)


def _is_redriven(job: Job) -> bool:
    return job.record.header(REDRIVEN_FROM) is not None
