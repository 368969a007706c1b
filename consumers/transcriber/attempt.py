"""One attempt at one reference."""

from dataclasses import dataclass

from consumers.progress import JobProgress
from consumers.runtime.ports import Job
from consumers.transcriber.objects import ObjectState
from schemas import identity
from schemas.events import AudioReference


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one reference that has an idempotency key.

    ``state`` is the object's, where it is known already. ``started_at`` is by the monotonic clock.
    """

    job: Job
    reference: AudioReference
    state: ObjectState | None
    progress: JobProgress
    started_at: float

    @property
    def job_id(self) -> str:
        """The reference's job."""
        return job_id_of(self.reference)


def job_id_of(reference: AudioReference) -> str:
    """Return the job of a reference that has an idempotency key."""
    return identity.job_id(reference.idempotency_key or "")
