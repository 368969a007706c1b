"""How any job stands, from the bucket and from what the topics said."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final

import structlog

from producers.gateway.events.hub import JobHub
from producers.gateway.events.past import HistoryUnavailable
from producers.gateway.events.ports import JobObjects
from producers.gateway.events.recall import Recall
from producers.gateway.events.state import JobState, KnownJob, job_state
from schemas.errors import DependencyDown

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobStates:
    """Belongs to one event loop; ``calling`` executes reads of the bucket."""

    hub: JobHub
    stored: JobObjects
    recall: Recall
    calling: Executor
    is_followed: Callable[[], bool] = lambda: True
    """Whether the thread runs that follows the topics."""

    async def find(self, job_id: str) -> JobState | None:
        """Return how a job stands; None when there is no such job. The caller checks the tenant.

        Raises DependencyDown when the object store does not answer. Raises HistoryUnavailable when the job may be
        one that began before this replica, and its events cannot be read now.
        """
        # The events first: a transcript is stored before its event is published.
        entry = self.hub.board.find(job_id)
        known = replace(await self._stored(job_id), progress=entry.progress if entry else None)
        if self.recall.is_needed(job_id, known):
            known = await self._recalled(job_id, known)
        return job_state(job_id, known)

    async def _recalled(self, job_id: str, known: KnownJob) -> KnownJob:
        try:
            progress = await self.recall.progress(job_id, known)
        except (HistoryUnavailable, DependencyDown) as error:
            if job_state(job_id, known) is None:
                raise HistoryUnavailable from error
            _log.warning("past events not read", job_id=job_id, error=str(error))
            return known
        # The job may have finished since the bucket was read.
        stored = known if progress is None or known.finished else await self._stored(job_id)
        return replace(stored, progress=progress)

    async def _stored(self, job_id: str) -> KnownJob:
        return await asyncio.get_running_loop().run_in_executor(self.calling, self.stored.known, job_id)
