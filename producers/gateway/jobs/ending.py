"""Ending jobs: a running one is cancelled, any other is deleted with everything that is stored for it."""

from dataclasses import dataclass

from producers.gateway.archive.deletions import RecentDeletions
from producers.gateway.events.state import JobState
from producers.gateway.interactive.clients import Clients
from producers.gateway.jobs.source_removal import NamedSource, SourceRemoval, Sources
from producers.result_removal import RemovedJob, ResultRemoval, UploadedObject, upload_of
from producers.results import ResultStore
from schemas.events import CancellationEvent
from schemas.kafka.deletions import DeletionEvent
from schemas.kafka.trace import Trace
from schemas.results import AcceptedJob, StoredJob


@dataclass(frozen=True, slots=True)
class DeletedJobParts:
    """What became of a deleted job's parts."""

    removed: RemovedJob
    source: SourceRemoval


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Cancels and deletes jobs."""

    clients: Clients
    results: ResultStore
    removal: ResultRemoval
    sources: Sources
    deletions: RecentDeletions

    async def end(self, state: JobState, trace: Trace, *, with_source: bool = False) -> DeletedJobParts | None:
        """Delete a job that is transcribed or has ended; cancel any other, and return None. Safe to repeat.

        ``with_source`` deletes the object as well that the job was made of. Raises DependencyDown.
        """
        is_running = not state.is_final and not state.has_transcript
        if not state.is_final:
            # A transcribed job may still be enriched.
            await self._cancel(state.job_id, trace)
        if is_running:
            return None
        # Published first: a deletion that fails afterwards is repeated, but one that is done would never be told.
        await self._tell(state, trace)
        return await self.clients.call(self._remove, state.job_id, with_source)

    async def _cancel(self, job_id: str, trace: Trace) -> None:
        clients = self.clients
        event = CancellationEvent(event_id=clients.new_id(), occurred_at=clients.clock.now(), job_id=job_id)
        await clients.publish(event, topic=clients.topics.cancellations, job_id=job_id, trace=trace)

    async def _tell(self, state: JobState, trace: Trace) -> None:
        clients, job_id = self.clients, state.job_id
        event = DeletionEvent(
            event_id=clients.new_id(), occurred_at=clients.clock.now(), job_id=job_id, tenant=state.tenant
        )
        await clients.publish(event, topic=clients.topics.deletions, job_id=job_id, trace=trace)
        self.deletions.add(event)

    def _remove(self, job_id: str, with_source: bool) -> DeletedJobParts:
        finished, accepted = self.results.find_job(job_id), self.results.find_accepted(job_id)
        source = self.sources.remove(_source_of(finished, accepted)) if with_source else SourceRemoval.KEPT
        upload = upload_of(accepted) if accepted else _upload_of_finished(finished)
        return DeletedJobParts(self.removal.remove(job_id, finished=finished, upload=upload), source)


def _upload_of_finished(finished: StoredJob | None) -> UploadedObject | None:
    """Return the audio of a job that another producer requested; the removal leaves it unless it is an upload."""
    reference = finished.reference if finished else None
    return UploadedObject(reference.uri, reference.version_id) if reference else None


def _source_of(finished: StoredJob | None, accepted: AcceptedJob | None) -> NamedSource | None:
    """Return the object that the job was made of, as it was read; else as it was named."""
    if finished is not None:
        source = finished.event.source
        return NamedSource(source.uri, source.version_id, source.etag)
    if accepted is not None:
        reference = accepted.reference
        return NamedSource(reference.uri, reference.version_id, reference.etag)
    return None
