"""``/v1/session``: an API key for a cookie, so that a page's event streams and players are authenticated."""

from http import HTTPStatus
from typing import Literal

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from producers.gateway.access.caller import Right, admitted
from producers.gateway.access.credentials import credential_in, key_missing
from producers.gateway.access.sessions import ended_session, is_over_tls, names_key, session_cookie
from producers.gateway.documentation.tags import Tag
from producers.gateway.services import services_of
from schemas.settings import GatewaySettings

_SET_COOKIE = {"Set-Cookie": {"description": "The session's cookie.", "schema": {"type": "string"}}}


class SessionAnswer(BaseModel):
    """What the caller may do here."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "success": True,
                    "keys": "required",
                    "is_signed_in": True,
                    "tenant": "acme",
                    "rights": ["transcribe", "read"],
                    "enrichment": False,
                    "archive": True,
                    "upload_limit_bytes": 2147483648,
                }
            ]
        }
    )

    success: Literal[True] = Field(default=True, description="Always true.")
    keys: Literal["off", "required"] = Field(description="Whether requests need an API key.")
    is_signed_in: bool = Field(description="Whether the key is that of the session's cookie.")
    tenant: str | None = Field(description="The tenant of the key; null where no keys are in use.")
    rights: list[Right] = Field(description="What the key may do; all where no keys are in use.")
    enrichment: bool = Field(description="Whether an enricher runs.")
    archive: bool = Field(description="Whether jobs are listed and searched.")
    upload_limit_bytes: int = Field(description="Larger uploads are refused.")


def add_session(app: FastAPI, settings: GatewaySettings) -> None:
    """Add the routes."""
    _add_read(app, settings)

    @app.post(
        "/v1/session",
        tags=[Tag.SESSION],
        summary="Begin a session",
        description="Takes the API key of `Authorization` or `X-Api-Key`, and sets it as a cookie that scripts "
        "cannot read. The cookie counts for requests of the same origin alone, and never beside a header with a "
        "key. It is looked up like any key: a revocation ends the session.",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses={
            204: {
                "description": "The session begins; without a cookie where no keys are in use.",
                "headers": _SET_COOKIE,
            }
        },
    )
    async def begin_session(request: Request) -> Response:
        caller, headers = admitted(request), request.headers
        if caller.key is None:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        secret = credential_in(headers)
        if secret is None:
            raise key_missing()
        return _cookie(session_cookie(secret, is_secure=_is_secure(request)))

    @app.delete(
        "/v1/session",
        tags=[Tag.SESSION],
        summary="End the session",
        description="Clears the cookie. Needs no key: a session can be ended after its key was revoked.",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses={204: {"description": "The cookie is cleared.", "headers": _SET_COOKIE}},
    )
    async def end_session(request: Request) -> Response:
        return _cookie(ended_session(is_secure=_is_secure(request)))


def _add_read(app: FastAPI, settings: GatewaySettings) -> None:
    @app.get("/v1/session", tags=[Tag.SESSION], summary="Read what the caller may do")
    async def read_session(request: Request) -> SessionAnswer:
        caller = admitted(request)
        return SessionAnswer(
            keys=settings.keys,
            is_signed_in=caller.key is not None and not names_key(request.headers),
            tenant=caller.tenant,
            rights=sorted(caller.rights),
            enrichment=settings.enrichment,
            archive=services_of(request).archive is not None,
            upload_limit_bytes=settings.upload_limit_bytes,
        )


def _is_secure(request: Request) -> bool:
    return is_over_tls(request.headers, scheme=request.url.scheme)


def _cookie(value: str) -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Set-Cookie": value})
