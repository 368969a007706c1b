"""``POST /transcribe`` and ``POST /transcribe-and-process``: a file in, its text in the response."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from producers.gateway.access.caller import Right, caller_of
from producers.gateway.documentation.exports import exported_contents
from producers.gateway.documentation.reasons import (
    ENRICHMENT_REASONS,
    TRANSCRIPTION_REASONS,
    UPLOAD_REASONS,
    WAITING_REASONS,
)
from producers.gateway.documentation.responses import Responses, failures, merged
from producers.gateway.documentation.tags import Tag
from producers.gateway.failures import enrichment_off
from producers.gateway.forms.body import opened_form
from producers.gateway.forms.form_schema import form_of
from producers.gateway.forms.presentation import PRESENTATION_FIELDS, Presentation, presentation_of
from producers.gateway.forms.requests import check_names, job_request_of, upload_in
from producers.gateway.interactive.job_request import JobAnswer
from producers.gateway.routes.answers import (
    ProcessAnswer,
    TranscribeAnswer,
    processed,
    rendered,
    transcribed,
)
from producers.gateway.routes.disconnects import while_connected
from producers.gateway.services import services_of
from schemas.settings import GatewaySettings

_FAILURES: Final = (*UPLOAD_REASONS, *TRANSCRIPTION_REASONS, *WAITING_REASONS)


def add_transcribe(app: FastAPI, settings: GatewaySettings) -> None:
    """Add the two routes."""

    @app.post(
        "/transcribe",
        tags=[Tag.TRANSCRIBE],
        summary="Transcribe a file",
        response_model=TranscribeAnswer,
        responses=_transcribe_responses(),
        openapi_extra=form_of(enriching=False),
    )
    async def transcribe(request: Request) -> Response:
        answer, presentation = await _answer(request, settings, enriching=False)
        if presentation.response_format is not None:
            return rendered(answer, presentation.response_format, services_of(request).subtitles)
        return JSONResponse({"success": True, **transcribed(answer, presentation.include)})

    @app.post(
        "/transcribe-and-process",
        tags=[Tag.TRANSCRIBE],
        summary="Transcribe a file and have a language model process the text",
        response_model=ProcessAnswer,
        responses=failures(*_FAILURES, *ENRICHMENT_REASONS),
        openapi_extra=form_of(enriching=True),
    )
    async def transcribe_and_process(request: Request) -> JSONResponse:
        answer, presentation = await _answer(request, settings, enriching=True)
        fields: dict[str, Any] = {**transcribed(answer, presentation.include), **processed(answer.enrichment)}
        return JSONResponse({"success": True, **fields})


def _transcribe_responses() -> Responses:
    answered: Responses = {
        HTTPStatus.OK: {
            "description": "The text as JSON; with `response_format`, the transcript in that format.",
            "content": exported_contents(),
        }
    }
    return merged(answered, failures(*_FAILURES))


async def _answer(
    request: Request, settings: GatewaySettings, *, enriching: bool
) -> tuple[JobAnswer, Presentation]:
    """Take one request from form to answer; wait for the answer as long as the client is connected."""
    jobs = services_of(request).jobs
    caller = caller_of(request, Right.ENRICH if enriching else Right.TRANSCRIBE)
    async with opened_form(request, limit_bytes=settings.upload_limit_bytes) as form:
        if enriching and not settings.enrichment:
            raise enrichment_off(instead="; POST /transcribe gives the text without it")
        check_names(request, form, enriching=enriching, further=PRESENTATION_FIELDS)
        presentation = presentation_of(form, enriching=enriching)
        file = upload_in(form, limit_bytes=settings.upload_limit_bytes)
        asked = job_request_of(
            request, form, file, caller=caller, new_id=jobs.clients.new_id(), enriching=enriching
        )
        asked = presentation.applied_to(asked, form)
        return await while_connected(request, jobs.answer(asked, file.file)), presentation
