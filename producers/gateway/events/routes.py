"""``GET /v1/jobs/{job_id}``, ``GET /v1/jobs/{job_id}/events`` and ``GET /v1/events``."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

from fastapi import FastAPI, Header, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from producers.gateway.access.caller import Right, caller_of
from producers.gateway.documentation.examples import JOB
from producers.gateway.documentation.responses import event_stream, failures
from producers.gateway.documentation.tags import Tag
from producers.gateway.events.cursors import Frontier, Position
from producers.gateway.events.messages import CutOffNotice, JobLinks, StreamedJobEvent
from producers.gateway.events.sse import EventStream
from producers.gateway.events.state import JobState
from producers.gateway.events.streams import JobStream, TenantStream
from producers.gateway.failures import RequestRefused
from producers.gateway.services import services_of
from schemas.errors import Reason
from schemas.identity import JOB_ID_CHARACTERS

JOB_REASONS: Final = ("job_not_found", "history_unavailable", Reason.DEPENDENCY_DOWN)
STREAM_REASONS: Final = ("cursor_invalid", "cursor_gone", "history_unavailable", "crowded", Reason.DEPENDENCY_DOWN)

EXAMPLE: Final = (
    "retry: 3000\n\n"
    "id: 3-1042\nevent: transcribing\n"
    'data: {"event_id":"9f0c","occurred_at":"2026-11-22T09:00:00Z","job_id":"6a9c6a2b7d4f4b1e8f0d2c3b4a5e6f70",'
    '"tenant":"default","lane":"bulk","metadata":{},"phase":"transcribing","stage":"transcriber","fraction":0.4,'
    '"text":"one two three","links":{"self":"/v1/jobs/6a9c6a2b7d4f4b1e8f0d2c3b4a5e6f70",'
    '"events":"/v1/jobs/6a9c6a2b7d4f4b1e8f0d2c3b4a5e6f70/events"}}\n\n'
    ": heartbeat\n\n"
)

_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The events; `data` is a StreamedJobEvent.",
        "content": event_stream(EXAMPLE, StreamedJobEvent, CutOffNotice),
    }
}
JobId = Annotated[str, Path(description="The job's id: 32 hexadecimal digits.")]
_HEADER_CURSOR: Final = "The `id` of the last event that arrived; EventSource sends it."
_QUERY_CURSOR: Final = "The same, for clients that cannot set the header. The header wins."
_POSITION: Final = {"pattern": r"^([0-9]{1,6}-[0-9]{1,18})?$"}
_FRONTIER: Final = {"pattern": r"^([0-9]{1,18}([.][0-9]{1,18})*)?$"}

JobHeaderCursor = Annotated[
    str | None, Header(alias="Last-Event-ID", description=_HEADER_CURSOR, json_schema_extra=_POSITION)
]
JobQueryCursor = Annotated[str | None, Query(description=_QUERY_CURSOR, json_schema_extra=_POSITION)]
TenantHeaderCursor = Annotated[
    str | None, Header(alias="Last-Event-ID", description=_HEADER_CURSOR, json_schema_extra=_FRONTIER)
]
TenantQueryCursor = Annotated[str | None, Query(description=_QUERY_CURSOR, json_schema_extra=_FRONTIER)]
Cursor = TypeVar("Cursor")


class JobAnswer(JobState):
    """How a job stands, and where its parts are."""

    model_config = ConfigDict(json_schema_extra={"examples": [JOB]})

    links: JobLinks = Field(description="Paths of its parts.")


async def visible_job(request: Request, job_id: str, right: Right) -> JobState:
    """Return the job of a request, if the caller may see it.

    Raises RequestRefused, with ``job_not_found`` also for a job of another tenant.
    """
    caller = caller_of(request, right)
    is_possible = re.fullmatch(rf"[0-9a-f]{{{JOB_ID_CHARACTERS}}}", job_id) is not None
    state = await services_of(request).states.find(job_id) if is_possible else None
    if state is None or not caller.may_see(state.tenant):
        raise RequestRefused(
            HTTPStatus.NOT_FOUND, "job_not_found", "there is no such job; POST /v1/jobs answers with the job's id"
        )
    return state


def add_events(app: FastAPI) -> None:
    """Add the routes."""

    @app.get(
        "/v1/jobs/{job_id}",
        tags=[Tag.JOBS],
        summary="Read how a job stands",
        response_model=JobAnswer,
        response_model_exclude_none=True,
        responses=failures(*JOB_REASONS),
    )
    async def read_job(request: Request, job_id: JobId) -> JobAnswer:
        state = await visible_job(request, job_id, Right.READ)
        links = JobLinks.of(job_id, has_transcript=state.has_transcript)
        return JobAnswer(**state.model_dump(), links=links)

    @app.get(
        "/v1/jobs/{job_id}/events",
        tags=[Tag.EVENTS],
        summary="Follow a job",
        description="Server-sent events, from the job's beginning to its end. With `Last-Event-ID`: only those "
        "after it, at any replica; 204 when the job has ended and there are none, which ends an EventSource.",
        response_class=Response,
        responses={
            **_EVENTS,
            204: {"description": "The job has ended, and every event was sent before."},
            **failures("job_not_found", *STREAM_REASONS),
        },
    )
    async def job_events(
        request: Request, job_id: JobId, cursor: JobHeaderCursor = None, last_event_id: JobQueryCursor = None
    ) -> Response:
        state = await visible_job(request, job_id, Right.READ)
        after = _cursor(cursor or last_event_id, Position.parse)
        services = services_of(request)
        services.hub.refuse_crowd()
        stream = JobStream(services.states, state, caller_of(request, Right.READ).tenant)
        messages = await stream.open(after)
        if messages is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        return EventStream(messages, heartbeat=stream.heartbeat, stopped=services.hub.stopped)

    @app.get(
        "/v1/events",
        tags=[Tag.EVENTS],
        summary="Follow all jobs of the caller's tenant",
        description="Server-sent events, from now on; with `Last-Event-ID` from there on, at any replica.",
        response_class=Response,
        responses={**_EVENTS, **failures(*STREAM_REASONS)},
    )
    async def events(
        request: Request, cursor: TenantHeaderCursor = None, last_event_id: TenantQueryCursor = None
    ) -> Response:
        caller = caller_of(request, Right.READ)
        after = _cursor(cursor or last_event_id, Frontier.parse)
        services = services_of(request)
        services.hub.refuse_crowd()
        stream = TenantStream(services.states, caller.tenant)
        messages = await stream.open(after)
        return EventStream(messages, heartbeat=stream.heartbeat, stopped=services.hub.stopped)


def _cursor(text: str | None, parse: Callable[[str], Cursor | None]) -> Cursor | None:
    """Return the cursor of a request; None if it has none. Raises RequestRefused for any other text."""
    if not text:
        return None
    cursor = parse(text)
    if cursor is None:
        raise RequestRefused(
            HTTPStatus.BAD_REQUEST,
            "cursor_invalid",
            "the Last-Event-ID is no id of this stream: send the id of an event of it, or none",
        )
    return cursor
