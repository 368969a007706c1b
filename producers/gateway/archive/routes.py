"""``GET /v1/jobs``, ``GET /v1/search`` and ``GET /v1/usage``."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Query, Request

from producers.archive.cursors import CursorInvalid
from producers.gateway.access.caller import Caller, Right, caller_of
from producers.gateway.archive.answers import JobsAnswer, SearchAnswer, UsageAnswer
from producers.gateway.archive.lookup import archive_of
from producers.gateway.archive.parameters import JobsAsked, SearchAsked, UsageAsked
from producers.gateway.documentation.responses import failures
from producers.gateway.documentation.tags import Tag
from producers.gateway.failures import RequestRefused
from schemas.errors import Reason

_LISTING: Final = ("cursor_invalid", "archive_off", Reason.DEPENDENCY_DOWN)


async def _reader(request: Request) -> Caller:
    return caller_of(request, Right.READ)


Reader = Annotated[Caller, Depends(_reader)]
"""The caller. The right is checked before the parameters are."""


def add_archive(app: FastAPI) -> None:
    """Add the routes."""

    @app.get(
        "/v1/jobs",
        tags=[Tag.ARCHIVE],
        summary="List jobs",
        description="Newest first, from the archive, which follows the topics within a second or so: "
        "`/v1/jobs/{job_id}` tells at any moment how one job stands.",
        responses=failures(*_LISTING),
    )
    async def list_jobs(request: Request, caller: Reader, asked: Annotated[JobsAsked, Query()]) -> JobsAnswer:
        wanted = asked.filter_for(caller)
        try:
            page = await archive_of(request).jobs(wanted, limit=asked.limit, cursor=asked.cursor)
        except CursorInvalid as error:
            raise _cursor_invalid() from error
        return JobsAnswer(jobs=page.jobs, next=page.next)

    @app.get(
        "/v1/search",
        tags=[Tag.ARCHIVE],
        summary="Search recordings",
        description="Recordings in which all words occur, newest first, each with the first segments in which one "
        "of them is said; with `job`, all of that job's.",
        responses=failures(*_LISTING),
    )
    async def search_recordings(
        request: Request, caller: Reader, asked: Annotated[SearchAsked, Query()]
    ) -> SearchAnswer:
        wanted = asked.filter_for(caller)
        try:
            page = await archive_of(request).search(wanted, limit=asked.limit, cursor=asked.cursor)
        except CursorInvalid as error:
            raise _cursor_invalid() from error
        return SearchAnswer(query=asked.q, results=page.results, next=page.next)

    @app.get(
        "/v1/usage",
        tags=[Tag.ARCHIVE],
        summary="Sum up usage",
        description="Jobs and seconds by tenant, day or model. Deleted jobs do not count.",
        responses=failures("archive_off", Reason.DEPENDENCY_DOWN),
    )
    async def sum_usage(request: Request, caller: Reader, asked: Annotated[UsageAsked, Query()]) -> UsageAnswer:
        wanted = asked.filter_for(caller)
        return UsageAnswer(by=asked.by, rows=await archive_of(request).usage(asked.by, wanted))


def _cursor_invalid() -> RequestRefused:
    return RequestRefused(
        HTTPStatus.BAD_REQUEST,
        "cursor_invalid",
        "the cursor is not of this list: send `next` of its last page with the same parameters, or no cursor",
    )
