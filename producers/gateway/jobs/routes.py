"""``/v1/jobs``: submit, read the transcript, the recording and the enrichments, enrich, cancel and delete."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from producers.gateway.access.caller import Right, caller_of
from producers.gateway.events.routes import JobId, visible_job
from producers.gateway.failures import enrichment_off
from producers.gateway.forms.body import opened_form
from producers.gateway.forms.requests import upload_in
from producers.gateway.jobs import description
from producers.gateway.jobs.answers import (
    Answer,
    EnrichmentAcceptedAnswer,
    EnrichmentAnswer,
    EnrichmentsAnswer,
    JobAcceptedAnswer,
    JobCancelledAnswer,
    JobDeletedAnswer,
    job_url,
)
from producers.gateway.jobs.audio import add_audio, is_known
from producers.gateway.jobs.bodies import (
    FORM_TYPE,
    JSON_TYPE,
    content_type_of,
    enrich_options_of,
    submission_of_form,
    submission_of_json,
)
from producers.gateway.jobs.lookup import transcribed_job
from producers.gateway.jobs.services import JobServices
from producers.gateway.jobs.submission import JobSubmission
from producers.gateway.jobs.transcripts import TranscriptFormat
from producers.gateway.jobs.webhook import with_webhook
from producers.gateway.monitoring.tracing import trace_of
from producers.gateway.services import services_of
from schemas.identity import enrich_digest
from schemas.settings import GatewaySettings

CACHED: Final = "private, no-cache"
"""A client keeps a transcript, and asks each time whether it is still there (RFC 9111, section 5.2.2)."""

WantedFormat = Annotated[
    TranscriptFormat, Query(alias="as", description="The format; `full` is the stored transcript itself.")
]

WithSource = Annotated[
    bool,
    Query(
        description="Delete the object as well that the job was made of: one that was dropped into a bucket of "
        "the deployment, or named by s3://."
    ),
]


def add_jobs(app: FastAPI, settings: GatewaySettings) -> None:
    """Add the routes of jobs."""
    _add_submit(app, settings)
    _add_transcript(app)
    add_audio(app)
    _add_enrichments(app, settings)
    _add_delete(app)


def _add_submit(app: FastAPI, settings: GatewaySettings) -> None:
    @app.post("/v1/jobs", **description.SUBMIT)
    async def submit_job(request: Request) -> JSONResponse:
        submission = await _accepted(request, settings)
        job_id = submission.job_id
        answer = JobAcceptedAnswer(
            job_id=job_id,
            idempotency_key=submission.idempotency_key,
            status_url=job_url(job_id),
            events_url=job_url(job_id, "/events"),
            transcript_url=job_url(job_id, "/transcript"),
            enrichments_url=job_url(job_id, "/enrichments"),
        )
        return _accepted_answer(answer, job_url(job_id))


async def _accepted(request: Request, settings: GatewaySettings) -> JobSubmission:
    """Take one request from its body to an accepted job."""
    caller = caller_of(request, Right.TRANSCRIBE)
    jobs = _jobs(request)
    if content_type_of(request, FORM_TYPE, JSON_TYPE) == JSON_TYPE:
        caller_of(request, Right.REFERENCE)
        submission = await submission_of_json(
            request, caller=caller, new_id=jobs.clients.new_id(), clock=jobs.clients.clock, s3=jobs.s3
        )
        submission = with_webhook(submission, caller, jobs.webhooks)
        _check_enrichment(request, submission, settings)
        await jobs.acceptance.accept(submission, None)
        return submission
    async with opened_form(request, limit_bytes=settings.upload_limit_bytes) as form:
        file = upload_in(form, limit_bytes=settings.upload_limit_bytes)
        submission = submission_of_form(request, form, file, caller=caller, new_id=jobs.clients.new_id())
        submission = with_webhook(submission, caller, jobs.webhooks)
        _check_enrichment(request, submission, settings)
        await jobs.acceptance.accept(submission, file.file)
        return submission


def _check_enrichment(request: Request, submission: JobSubmission, settings: GatewaySettings) -> None:
    if submission.enrich is not None:
        caller_of(request, Right.ENRICH)
        if not settings.enrichment:
            raise enrichment_off()


def _add_transcript(app: FastAPI) -> None:
    @app.get("/v1/jobs/{job_id}/transcript", **description.TRANSCRIPT)
    async def read_transcript(
        request: Request, job_id: JobId, wanted: WantedFormat = TranscriptFormat.FULL
    ) -> Response:
        state, jobs = await transcribed_job(request, job_id, Right.READ), _jobs(request)
        finished = await jobs.finished(state)
        etag = jobs.representations.etag(finished, wanted)
        headers = {"ETag": etag, "Cache-Control": CACHED}
        if is_known(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        rendered = await jobs.rendered(finished, wanted)
        return Response(rendered.body, headers={**headers, "Content-Type": rendered.content_type})


def _add_enrichments(app: FastAPI, settings: GatewaySettings) -> None:
    @app.get("/v1/jobs/{job_id}/enrichments", **description.ENRICHMENTS)
    async def read_enrichments(request: Request, job_id: JobId) -> EnrichmentsAnswer:
        state = await visible_job(request, job_id, Right.READ)
        finished = await _jobs(request).enriching.finished(state.job_id)
        return EnrichmentsAnswer(job_id=job_id, enrichments=[EnrichmentAnswer.of(stored) for stored in finished])

    @app.post("/v1/jobs/{job_id}/enrich", **description.ENRICH)
    async def enrich_job(request: Request, job_id: JobId) -> JSONResponse:
        state, jobs = await transcribed_job(request, job_id, Right.ENRICH), _jobs(request)
        options = await enrich_options_of(request, caller=caller_of(request, Right.ENRICH))
        if not settings.enrichment:
            raise enrichment_off()
        finished = await jobs.finished(state)
        is_finished = await jobs.enriching.request(finished, options, trace_of(request.scope))
        answer = EnrichmentAcceptedAnswer(
            job_id=job_id,
            enrichment_id=enrich_digest(options),
            is_finished=is_finished,
            enrichments_url=job_url(job_id, "/enrichments"),
            events_url=job_url(job_id, "/events"),
        )
        return _accepted_answer(answer, job_url(job_id, "/enrichments"))


def _add_delete(app: FastAPI) -> None:
    @app.delete("/v1/jobs/{job_id}", **description.DELETE)
    async def delete_job(request: Request, job_id: JobId, source: WithSource = False) -> JSONResponse:
        state = await visible_job(request, job_id, Right.DELETE)
        deleted = await _jobs(request).ending.end(state, trace_of(request.scope), with_source=source)
        if deleted is None:
            cancelled = JobCancelledAnswer(job_id=job_id, status_url=job_url(job_id))
            return _accepted_answer(cancelled, job_url(job_id))
        return JSONResponse(JobDeletedAnswer.of(job_id, deleted.removed, deleted.source).model_dump(mode="json"))


def _jobs(request: Request) -> JobServices:
    return services_of(request).job_services


def _accepted_answer(answer: Answer, location: str) -> JSONResponse:
    body = answer.model_dump(mode="json")
    return JSONResponse(body, status_code=HTTPStatus.ACCEPTED, headers={"Location": location})
