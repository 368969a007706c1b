"""Why a job has no transcript to read or to enrich."""

from http import HTTPStatus
from typing import Final

from fastapi import Request

from producers.gateway.access.caller import Right
from producers.gateway.events.routes import visible_job
from producers.gateway.events.state import JobState
from producers.gateway.failures import RequestRefused
from schemas.events import Phase

POLL_SECONDS: Final = 5
"""After which a client asks again for a job that runs."""


async def transcribed_job(request: Request, job_id: str, right: Right) -> JobState:
    """Return how a job stands that has its transcript. Raises RequestRefused, which says why it has none."""
    state = await visible_job(request, job_id, right)
    if not state.has_transcript:
        raise not_transcribed(state)
    return state


def not_transcribed(state: JobState) -> RequestRefused:
    """Return the refusal of a transcript that a job does not have, or not yet."""
    details = {"job_id": state.job_id, "phase": state.phase.value}
    if state.phase is Phase.FAILED and state.failure is not None:
        failed = RequestRefused.because(state.failure.reason, state.failure.message)
        return RequestRefused(failed.status, failed.reason, failed.message, details=details)
    if state.phase is Phase.CANCELLED:
        return RequestRefused(
            HTTPStatus.CONFLICT, "job_cancelled", "the job was cancelled: request it again", details=details
        )
    return RequestRefused(
        HTTPStatus.CONFLICT,
        "not_finished",
        f"the job is not transcribed yet (phase {state.phase.value}): ask again, or follow its events",
        headers={"Retry-After": str(POLL_SECONDS)},
        details=details,
    )
