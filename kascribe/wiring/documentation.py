"""The documents of the gateway: its own about HTTP, and those about the topics for its pages."""

import json
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any, Final

from kascribe.documents.asyncapi import asyncapi
from kascribe.documents.events_page import events_page
from producers.gateway.app import create_app
from producers.gateway.documentation.pages import EventDocuments, file_text
from producers.gateway.documentation.reasons import HTTP_REASONS
from producers.gateway.services import Services
from schemas.settings import GatewaySettings

_HEAD: Final = '<link rel="icon" href="files/icon.svg">\n<link rel="stylesheet" href="files/page.css">'
_NAVIGATION: Final = (
    '<nav><strong>Kascribe</strong> <a href="../docs">HTTP</a> <a href="events" aria-current="page">Kafka</a>\n'
    '<a href="../asyncapi.json">asyncapi.json</a></nav>'
)


def event_documents() -> EventDocuments:
    """Return the AsyncAPI document of this version, and its page for ``/docs/events``."""
    document = asyncapi(version("kascribe"))
    page = events_page(document, head=_HEAD, navigation=_NAVIGATION)
    return EventDocuments(json.dumps(document, ensure_ascii=False), page)


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document of a gateway with default settings."""
    return create_app(GatewaySettings(), open_services=_closed).openapi()


def http_reasons() -> list[tuple[str, str, str]]:
    """Return the reasons of failed requests, by status: reason, status, meaning."""
    ordered = sorted(HTTP_REASONS.items(), key=lambda entry: (entry[1].status, entry[0]))
    return [(f"`{reason}`", str(status.value), meaning) for reason, (status, meaning) in ordered]


def events_file() -> str:
    """Return the page of the topics as a file that is complete by itself."""
    style = f"<style>\n{file_text('page.css')}</style>"
    return events_page(asyncapi(version("kascribe")), head=style, navigation="")


def _closed() -> AbstractAsyncContextManager[Services]:
    raise AssertionError("the document needs no services")
