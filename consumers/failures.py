"""Claims on failures, as on results: of the copies of one request, one is dead-lettered and reported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from consumers.ports import FailureStore
from consumers.runtime.ports import FollowsAnother, Job
from schemas import identity
from schemas.clock import Clock
from schemas.errors import JobCancelled, JobError, Reason
from schemas.kafka.dead_letters import MESSAGE_CHARACTERS_LIMIT, REDRIVEN_FROM
from schemas.kafka.records import OutgoingRecord
from schemas.results import FailedRequest

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """The job and event that copies of one request share. A request that is made again later fails for itself."""

    job_id: str
    event_id: str
    occurred_at: datetime
    tenant: str


class FailureClaims:
    """Lets exactly one of the records that carry copies of a request fail. Thread-safe."""

    def __init__(self, store: FailureStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def run(
        self,
        job: Job,
        process: Callable[[Job], Sequence[OutgoingRecord]],
        *,
        identify: Callable[[Job], RequestIdentity | None],
    ) -> Sequence[OutgoingRecord]:
        """Return the outputs of ``process``; none when it fails for good and another copy has claimed the failure.

        ``identify`` must not raise; None when no other record can carry the same request. Raises what
        ``process`` raises, or DependencyDown instead when the store is down and the attempt will be repeated.
        """
        try:
            return process(job)
        except (JobCancelled, FollowsAnother):
            raise  # not a failure
        except Exception as error:
            if self._is_claimed_by_another(job, error, identify):
                return ()
            raise

    def _is_claimed_by_another(
        self, job: Job, error: Exception, identify: Callable[[Job], RequestIdentity | None]
    ) -> bool:
        # A redriven letter is not compared with copies: it must not vanish without a new letter.
        request = identify(job) if job.is_final(error) and not _is_redriven(job) else None
        if request is None:
            return False
        try:
            claimed = self._store.claim_failure(self._failed(job, error, request))
        except JobError as store_error:
            if job.is_final(store_error):
                return False
            raise
        if claimed.owner == job.origin:
            return False
        _log.info("failure reported by another record", origin=str(job.origin), owner=str(claimed.owner))
        return True

    def _failed(self, job: Job, error: Exception, request: RequestIdentity) -> FailedRequest:
        return FailedRequest(
            job_id=request.job_id,
            owner=job.origin,
            request_digest=identity.request_digest(request.event_id, request.occurred_at.isoformat()),
            reason=error.reason if isinstance(error, JobError) else Reason.INTERNAL_ERROR,
            message=str(error)[:MESSAGE_CHARACTERS_LIMIT],
            failed_at=self._clock.now(),
            tenant=request.tenant,
        )


def _is_redriven(job: Job) -> bool:
    return job.record.header(REDRIVEN_FROM) is not None
