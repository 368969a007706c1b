"""``GET /v1/jobs/{job_id}/audio``: the recording of a job, for players."""

import re
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request, Response

from producers.gateway.access.caller import Right
from producers.gateway.documentation.responses import Responses, content, failures, merged
from producers.gateway.documentation.tags import Tag
from producers.gateway.events.routes import JobId, visible_job
from producers.gateway.events.state import JobState
from producers.gateway.failures import RequestRefused
from producers.gateway.jobs.listening import RecordingAnswer
from producers.gateway.jobs.lookup import not_transcribed
from producers.gateway.jobs.ranges import ByteRange, Unsatisfiable, is_same, last_modified, range_in
from producers.gateway.jobs.services import JobServices
from producers.gateway.services import services_of
from producers.recordings import NamedRecording, Recording
from schemas.errors import Reason

UNKNOWN_TYPE: Final = "application/octet-stream"
POLICY: Final = "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox"
"""An upload that is really a page can load nothing, run nothing, and be nowhere within another page."""

_PLAYED_TYPE: Final = re.compile(r"(audio|video)/[a-z0-9][a-z0-9.+-]{0,100}", re.IGNORECASE)
_NOT_IN_FALLBACK: Final = re.compile(r"[^ !#-\[\]-~]")

_TEXT: Final = {"type": "string"}
_HEADERS: Final[dict[str, Any]] = {
    "Accept-Ranges": {"description": "bytes", "schema": _TEXT},
    "ETag": {"description": "For If-None-Match and If-Range.", "schema": _TEXT},
    "Last-Modified": {"description": "For If-Range.", "schema": _TEXT},
    "Content-Disposition": {"description": "The name of the file.", "schema": _TEXT},
}
_CONTENT_RANGE: Final = {
    "Content-Range": {
        "description": "Which bytes, of how many.",
        "schema": _TEXT,
        "example": "bytes 0-65535/480044",
    }
}
_BODY: Final = {
    kind: body
    for media_type in ("audio/*", "video/*", UNKNOWN_TYPE)
    for kind, body in content(media_type, binary=True, example="The bytes of the file.").items()
}


def _request_header(name: str, description: str, **more: object) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": _TEXT, **more}


def _responses() -> Responses:
    refused = failures(
        "job_not_found",
        "history_unavailable",
        "not_finished",
        "job_cancelled",
        "range_not_satisfiable",
        Reason.SOURCE_NOT_ALLOWED,
        Reason.AUDIO_NOT_FOUND,
        Reason.AUDIO_FORBIDDEN,
        Reason.INVALID_EVENT,
        Reason.DEPENDENCY_DOWN,
    )
    unsatisfiable = refused[HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE]
    unsatisfiable["headers"] = {
        "Content-Range": {"description": "The size.", "schema": _TEXT, "example": "bytes */480044"}
    }
    return merged(
        {
            HTTPStatus.OK: {"description": "The whole recording.", "headers": _HEADERS, "content": _BODY},
            HTTPStatus.PARTIAL_CONTENT: {
                "description": "The range that was requested.",
                "headers": {**_HEADERS, **_CONTENT_RANGE},
                "content": _BODY,
            },
            HTTPStatus.NOT_MODIFIED: {"description": "As If-None-Match has it.", "headers": _HEADERS},
        },
        refused,
    )


AUDIO: Final[dict[str, Any]] = {
    "tags": [Tag.JOBS],
    "summary": "Listen to the recording",
    "description": "The object that the job read, in that version, as it is in the bucket: the uploaded file, or "
    "the object that was named or dropped. Players request it in ranges (`Range`, one at a time; several are "
    "answered with the whole). It comes as fast as the client reads it. 404 `audio_not_found`: it was deleted or "
    "replaced; the transcript stays.",
    "response_model": None,
    "response_class": Response,
    "responses": _responses(),
    "openapi_extra": {
        "parameters": [
            _request_header("Range", "One range of bytes.", example="bytes=0-65535"),
            _request_header("If-Range", "The range, if the ETag or Last-Modified is still this; else the whole."),
            _request_header("If-None-Match", "An ETag of an earlier answer: 304 if it is still the same."),
        ]
    },
}


def add_audio(app: FastAPI) -> None:
    """Add the route."""

    @app.get("/v1/jobs/{job_id}/audio", **AUDIO)
    async def read_audio(request: Request, job_id: JobId) -> Response:
        recording = await _recording(request, job_id)
        headers = _headers(recording)
        if is_known(request.headers.get("if-none-match", ""), recording.etag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        wanted = _wanted(request, recording)
        whole = ByteRange(0, recording.size_bytes - 1)
        if wanted is not None:
            headers["Content-Range"] = f"bytes {wanted.first}-{wanted.last}/{recording.size_bytes}"
        sent = wanted or whole
        headers["Content-Length"] = str(sent.length)
        status = HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK
        return RecordingAnswer(_jobs(request).listening, recording, sent, status=status, headers=headers)

    @app.head("/v1/jobs/{job_id}/audio", include_in_schema=False)
    async def describe_audio(request: Request, job_id: JobId) -> Response:
        recording = await _recording(request, job_id)
        return Response(headers={**_headers(recording), "Content-Length": str(recording.size_bytes)})


def is_known(if_none_match: str, etag: str) -> bool:
    """Return whether an entity tag is among those of If-None-Match: compared weakly (RFC 9110, section 13.1.2)."""
    given = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return not given.isdisjoint({"*", etag.removeprefix("W/")})


def played_type(content_type: str) -> str:
    """Return the content type to answer with: that of the object if it is audio or video, else unspecific bytes.

    Parameters are left out.
    """
    kind = content_type.partition(";")[0].strip()
    return kind.lower() if _PLAYED_TYPE.fullmatch(kind) else UNKNOWN_TYPE


def disposition(name: str) -> str:
    """Return the header Content-Disposition of a file to be played (RFC 6266)."""
    fallback = _NOT_IN_FALLBACK.sub("_", name)
    return f"inline; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _recording(request: Request, job_id: str) -> Recording:
    """Return the recording of a job that the caller may read. Raises RequestRefused and JobError."""
    state, jobs = await visible_job(request, job_id, Right.READ), _jobs(request)
    return await jobs.listening.find(await _named(state, jobs))


async def _named(state: JobState, jobs: JobServices) -> NamedRecording:
    """Return what the job read; before it is transcribed, what its request names."""
    if state.has_transcript:
        source = (await jobs.finished(state)).event.source
        return NamedRecording(source.uri, source.version_id, source.etag)
    accepted = await jobs.clients.call(jobs.results.find_accepted, state.job_id)
    if accepted is None:
        raise not_transcribed(state)
    reference = accepted.reference
    return NamedRecording(reference.uri, reference.version_id, reference.etag)


def _wanted(request: Request, recording: Recording) -> ByteRange | None:
    """Return the range of a request, None for the whole. Raises RequestRefused."""
    if not is_same(request.headers.get("if-range"), recording):
        return None
    try:
        return range_in(request.headers.get("range"), recording.size_bytes)
    except Unsatisfiable:
        size = recording.size_bytes
        raise RequestRefused(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            "range_not_satisfiable",
            f"the recording has {size:,} bytes, and the range begins behind them",
            headers={"Content-Range": f"bytes */{size}"},
        ) from None


def _headers(recording: Recording) -> dict[str, str]:
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": disposition(recording.name),
        "Content-Security-Policy": POLICY,
        "Content-Type": played_type(recording.content_type),
        "ETag": recording.etag,
        "Last-Modified": last_modified(recording),
    }


def _jobs(request: Request) -> JobServices:
    return services_of(request).job_services
