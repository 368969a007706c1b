"""``POST /v1/audio/transcriptions`` and ``POST /v1/audio/translations``."""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from producers.gateway.access.caller import Right, caller_of
from producers.gateway.documentation.tags import Tag
from producers.gateway.forms.body import opened_form
from producers.gateway.forms.requests import check_names, job_request_of, upload_in
from producers.gateway.interactive.answers import OnProgress, ignore
from producers.gateway.interactive.job_request import JobAnswer, JobRequest
from producers.gateway.openai.answers import transcription_response
from producers.gateway.openai.event_stream import TranscriptionStream
from producers.gateway.openai.speech_documentation import documented_answers, documented_form
from producers.gateway.openai.speech_request import OPENAI_FIELDS, speech_request_of
from producers.gateway.routes.disconnects import while_connected
from producers.gateway.services import services_of
from schemas.options import Task
from schemas.settings import GatewaySettings


def add_speech(app: FastAPI, settings: GatewaySettings) -> None:
    """Add the two routes."""
    documented: dict[str, Any] = {
        "tags": [Tag.OPENAI],
        "response_class": Response,
        "responses": documented_answers(),
        "openapi_extra": documented_form(),
    }

    @app.post("/v1/audio/transcriptions", summary="Transcribe a file", **documented)
    async def transcriptions(request: Request) -> Response:
        return await _answer(request, settings, Task.TRANSCRIBE)

    @app.post("/v1/audio/translations", summary="Translate speech in a file into English", **documented)
    async def translations(request: Request) -> Response:
        return await _answer(request, settings, Task.TRANSLATE)


async def _answer(request: Request, settings: GatewaySettings, task: Task) -> Response:
    """Take one request from form to answer; wait for the answer as long as the client is connected."""
    services = services_of(request)
    caller = caller_of(request, Right.TRANSCRIBE)
    async with AsyncExitStack() as opened:
        limit_bytes = settings.upload_limit_bytes
        form = await opened.enter_async_context(opened_form(request, limit_bytes=limit_bytes))
        wanted = speech_request_of(form, task=task)
        check_names(request, wanted.form, enriching=False, further=OPENAI_FIELDS)
        model = services.models.option_of(wanted.model) if wanted.model else None
        file = upload_in(form, limit_bytes=limit_bytes)
        new_id = services.jobs.clients.new_id()
        asked = job_request_of(request, wanted.form, file, caller=caller, new_id=new_id, enriching=False)
        asked = _with_model(asked, model, needs_body=wanted.needs_body)

        async def answering(on_progress: OnProgress = ignore) -> JobAnswer:
            return await services.jobs.answer(asked, file.file, on_progress=on_progress)

        if wanted.is_streamed:
            return TranscriptionStream(request, answering, opened.pop_all())
        answer = await while_connected(request, answering())
    return transcription_response(answer, wanted, services.subtitles)


def _with_model(asked: JobRequest, model: str | None, *, needs_body: bool) -> JobRequest:
    """Return the job request for a model; None leaves the model of the API key's options, if it has one."""
    options = asked.options.model_copy(update={"model": model}) if model else asked.options
    return replace(asked, options=options, needs_body=needs_body)
