"""How a job stands, decided from everything that is known of it."""

from typing import Any

import pytest

from producers.gateway.events.progress import fold
from producers.gateway.events.state import JobState, KnownJob, job_state
from schemas.errors import Reason
from schemas.events import Phase, ProgressEvent
from schemas.results import DeletedJob
from tests.unit.producers.events.job_events import (
    JOB,
    SUMMARY,
    accepted,
    at,
    enrichment,
    event,
    failed,
    failed_enrichment,
    finished,
)

RUNNING = event(Phase.TRANSCRIBING, 10, text="one", fraction=0.5)
FAILED = event(Phase.FAILED, 20, reason=Reason.AUDIO_EMPTY)
CANCELLED = event(Phase.CANCELLED, 20)
COMPLETED = event(Phase.COMPLETED, 51)
ENRICHING = event(Phase.ENRICHING, 60, stage="enricher", fraction=0.5)
ENRICHED = event(Phase.COMPLETED, 81, stage="enricher")
NOT_ENRICHED = event(Phase.FAILED, 81, stage="enricher", reason=Reason.ENRICHMENT_INVALID)
NOT_WANTED = event(Phase.CANCELLED, 81, stage="enricher")


DELETED = DeletedJob(job_id=JOB, deleted_at=at(40))


def known(*events: ProgressEvent, **stored: Any) -> KnownJob:
    """Return what is known."""
    return KnownJob(progress=fold(events), **stored)


def state(*events: ProgressEvent, **stored: Any) -> JobState:
    """Return how the job stands."""
    found = job_state(JOB, known(*events, **stored))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("given", "phase", "stage", "second"),
    [
        (known(accepted=accepted()), Phase.ACCEPTED, "transcriber", -5),
        (known(RUNNING), Phase.TRANSCRIBING, "transcriber", 10),
        (known(RUNNING, accepted=accepted()), Phase.TRANSCRIBING, "transcriber", 10),
        (known(failures=[failed(20)]), Phase.FAILED, "transcriber", 20),
        (known(RUNNING, FAILED, failures=[failed(19)], accepted=accepted()), Phase.FAILED, "transcriber", 20),
        (known(RUNNING, failures=[failed(20)], accepted=accepted()), Phase.FAILED, "transcriber", 20),
        (
            known(FAILED, event(Phase.ACCEPTED, 30, reference="r2"), failures=[failed(20)], accepted=accepted()),
            Phase.ACCEPTED,
            "transcriber",
            30,
        ),
        (known(RUNNING, CANCELLED, accepted=accepted()), Phase.CANCELLED, "transcriber", 20),
        (known(CANCELLED, accepted=accepted(40)), Phase.ACCEPTED, "transcriber", 40),
        (known(FAILED, failures=[failed(20)], accepted=accepted(40)), Phase.ACCEPTED, "transcriber", 40),
        (known(COMPLETED, accepted=accepted(60)), Phase.ACCEPTED, "transcriber", 60),
        (known(finished=finished()), Phase.COMPLETED, "transcriber", 50),
        (known(RUNNING, finished=finished()), Phase.COMPLETED, "transcriber", 50),
        (known(FAILED, finished=finished()), Phase.COMPLETED, "transcriber", 50),
        (known(COMPLETED, NOT_ENRICHED, finished=finished()), Phase.COMPLETED, "transcriber", 50),
        (known(COMPLETED, ENRICHING, finished=finished()), Phase.ENRICHING, "enricher", 60),
        (known(COMPLETED, finished=finished(SUMMARY)), Phase.ENRICHING, "enricher", 50),
        (known(COMPLETED, ENRICHING, finished=finished(SUMMARY)), Phase.ENRICHING, "enricher", 60),
        (known(COMPLETED, NOT_ENRICHED, finished=finished(SUMMARY)), Phase.FAILED, "enricher", 81),
        (known(COMPLETED, NOT_WANTED, finished=finished(SUMMARY)), Phase.CANCELLED, "enricher", 81),
        (known(finished=finished(SUMMARY), failures=[failed_enrichment(81)]), Phase.FAILED, "enricher", 81),
        (known(finished=finished(SUMMARY), failures=[failed(20)]), Phase.ENRICHING, "enricher", 50),
        (known(finished=finished(SUMMARY), enrichment=enrichment()), Phase.COMPLETED, "enricher", 80),
        (
            known(NOT_ENRICHED, finished=finished(SUMMARY), enrichment=enrichment()),
            Phase.COMPLETED,
            "enricher",
            80,
        ),
        (
            known(ENRICHED, event(Phase.ENRICHING, 90, stage="enricher"), finished=finished(SUMMARY)),
            Phase.ENRICHING,
            "enricher",
            90,
        ),
    ],
    ids=[
        "accepted",
        "running, not accepted over HTTP",
        "running",
        "failed long ago",
        "failed",
        "failed, its event not seen",
        "failed, and requested again",
        "cancelled",
        "cancelled, deleted, and accepted again",
        "failed, deleted, and accepted again",
        "completed, deleted, and accepted again",
        "finished",
        "finished, the last event not seen",
        "finished after a failure",
        "finished, and another enrichment of it failed",
        "finished, and being enriched by a later request",
        "finished, its enrichment not begun",
        "being enriched",
        "its enrichment failed",
        "its enrichment was cancelled",
        "its enrichment failed long ago",
        "an earlier request failed, and its enrichment has not begun",
        "enriched",
        "enriched after another enrichment of it failed",
        "enriched, and being enriched by a later request",
    ],
)
def test_a_job_stands_as_the_last_word_about_it_says(
    given: KnownJob, phase: Phase, stage: str, second: float
) -> None:
    """One table: the bucket and the topics know different parts, and each part may be missing."""
    found = job_state(JOB, given)
    assert found is not None
    assert (found.phase, found.stage, found.updated_at) == (phase, stage, at(second))
    assert (found.tenant, found.has_transcript) == (
        "team" if given.finished or given.accepted or given.progress else "",
        given.finished is not None,
    )


@pytest.mark.parametrize(
    "given",
    [
        known(),
        known(RUNNING, COMPLETED),
        known(RUNNING, FAILED, deleted=DELETED),
        known(CANCELLED, deleted=DELETED),
        known(event(Phase.CANCELLED, 40.5), deleted=DELETED),
    ],
    ids=["nothing", "deleted", "failed, deleted", "cancelled, deleted", "deleted, as a clock that is late says"],
)
def test_a_job_that_is_unknown_or_deleted_is_none(given: KnownJob) -> None:
    """A deleted transcript takes the job with it, although its events are still in the topic."""
    assert job_state(JOB, given) is None


def test_a_job_that_was_deleted_and_is_requested_again_exists() -> None:
    """What it was before is neither its state nor its text."""
    again = state(RUNNING, CANCELLED, deleted=DELETED, accepted=accepted(60))
    assert (again.phase, again.text) == (Phase.ACCEPTED, None)
    assert state(CANCELLED, event(Phase.FETCHING, 90, reference="r2"), deleted=DELETED).phase is Phase.FETCHING


def test_a_running_job_has_its_text_so_far_and_its_fraction() -> None:
    """For a page that shows progress; where the job was accepted is where it began."""
    found = state(event(Phase.ACCEPTED, 0), RUNNING, accepted=accepted())
    assert (found.text, found.fraction, found.accepted_at) == ("one", 0.5, at(-5))
    assert not found.is_final
    assert state(event(Phase.ACCEPTED, 0), RUNNING).accepted_at == at(0)


def test_a_retried_job_says_why_its_last_attempt_failed() -> None:
    """Reason, message and the attempt's number."""
    found = state(event(Phase.RETRYING, 5, reason=Reason.ENGINE_FAILED))
    assert found.phase is Phase.RETRYING
    assert found.failure is not None
    assert (found.failure.reason, found.failure.attempt) == (Reason.ENGINE_FAILED, 2)
    assert not found.is_final


def test_a_reused_key_is_the_reason_only_if_there_is_no_other() -> None:
    """The request that reused the key failed, not the job."""
    reused, empty = failed(30, Reason.KEY_REUSED), failed(20)
    assert state(failures=[reused, empty]).failure == state(failures=[empty]).failure
    found = state(failures=[reused]).failure
    assert found is not None
    assert found.reason is Reason.KEY_REUSED


def test_a_finished_job_has_the_addresses_of_its_results() -> None:
    """Transcript, enrichment, text and language; the request's enrichment beside them."""
    found = state(finished=finished(SUMMARY), enrichment=enrichment())
    assert (found.text, found.language, found.fraction) == ("one two", "ko", 1.0)
    assert found.transcript_uri
    assert found.enrichment_uri
    assert found.enrich == SUMMARY
    assert found.accepted_at == at(-5)
