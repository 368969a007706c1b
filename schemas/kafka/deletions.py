"""The event about a deleted job, for those that keep copies of what was deleted."""

from pydantic import Field

from schemas.events import Event


class DeletionEvent(Event):
    """``audio.deletions``: a caller has deleted a job. Forget what was said of it until ``occurred_at``."""

    ce_type = "kascribe.audio.deletion.v1"

    job_id: str = Field(description="The job whose transcript, enrichments and objects were deleted.")
    tenant: str = Field(default="default", max_length=128, description="The tenant that the job belonged to.")
