"""``GET /`` and ``GET /page/{path}``: files of this package alone, so that the strictest policies hold."""

from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from producers.gateway.page.files import START, page_files

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Header of the page: what it loads and where it sends requests is this gateway; recordings are ``blob:``."""

HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}


def add_page(app: FastAPI) -> None:
    """Add the page and its files. Nothing of them depends on the caller, so that they need no key."""

    @app.get("/", include_in_schema=False)
    @app.head("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return _answer(request, START)

    @app.get("/page/{path:path}", include_in_schema=False)
    @app.head("/page/{path:path}", include_in_schema=False)
    async def page_file(request: Request, path: str) -> Response:
        if path == START:
            raise HTTPException(404, "the page is at /")
        return _answer(request, path)


def _answer(request: Request, path: str) -> Response:
    file = page_files().get(path)
    if file is None:
        raise HTTPException(404, "the page has no such file")
    headers = {**HEADERS, "ETag": file.etag}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if file.etag in known or "*" in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(file.body, media_type=file.media_type, headers=headers)
