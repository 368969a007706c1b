"""``/docs``: the pages of the documentation, from files of this package alone.

No page requests anything outside the gateway, and scripts and styles are files, so that the strictest
Content-Security-Policy holds.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from producers.gateway.documentation.openapi import add_openapi

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Header of the pages: the viewer draws its icons as ``data:`` images, and sends requests to the gateway."""

FILES: Final = {
    "swagger-ui-bundle.js": ("swagger_ui", "text/javascript"),
    "swagger-ui.css": ("swagger_ui", "text/css"),
    "page.js": ("site", "text/javascript"),
    "page.css": ("site", "text/css"),
    "icon.svg": ("site", "image/svg+xml"),
}
"""What the pages load, by name: its folder in this package and its type."""

_HEADERS: Final = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}


@dataclass(frozen=True, slots=True)
class EventDocuments:
    """The description of the topics: an AsyncAPI document, and its page in HTML."""

    asyncapi: str
    page: str


def add_documentation(app: FastAPI, event_documents: Callable[[], EventDocuments] | None) -> None:
    """Add ``/openapi.json`` and ``/docs`` with its files; with documents of the topics, ``/docs/events`` too."""
    add_openapi(app)
    # Documents are made when they are first requested, which takes a second or two: on a thread, so that the event
    # loop can answer other requests.
    openapi = cache(lambda: json.dumps(app.openapi(), ensure_ascii=False))

    @app.get("/openapi.json", include_in_schema=False)
    def openapi_json() -> Response:
        return Response(openapi(), media_type="application/json", headers=_HEADERS)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_file("site", "index.html"), headers=_HEADERS)

    @app.get("/docs/files/{name}", include_in_schema=False)
    async def docs_file(name: str) -> Response:
        if name not in FILES:
            raise HTTPException(404, "no such file")
        folder, media_type = FILES[name]
        return Response(_file(folder, name), media_type=media_type, headers=_HEADERS)

    if event_documents is None:
        return
    documents = cache(event_documents)

    @app.get("/docs/events", include_in_schema=False)
    def docs_events() -> HTMLResponse:
        return HTMLResponse(documents().page, headers=_HEADERS)

    @app.get("/asyncapi.json", include_in_schema=False)
    def asyncapi_json() -> Response:
        return Response(documents().asyncapi, media_type="application/json", headers=_HEADERS)


def file_text(name: str) -> str:
    """Return the text of one of the pages' files."""
    return _file(FILES[name][0], name).decode()


@cache
def _file(folder: str, name: str) -> bytes:
    return (files(__package__) / folder / name).read_bytes()
