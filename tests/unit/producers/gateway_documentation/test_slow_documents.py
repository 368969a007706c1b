"""Making a document holds up no other request."""

import asyncio
import threading

import httpx

from producers.gateway.app import create_app
from producers.gateway.documentation.pages import EventDocuments
from schemas.settings import GatewaySettings
from tests.unit.producers.gateway_documentation.test_pages import closed


def test_others_are_answered_while_a_document_is_made() -> None:
    """The first request for a document waits for it on a thread, and the event loop goes on."""
    entered, released = threading.Event(), threading.Event()

    def documents() -> EventDocuments:
        entered.set()
        assert released.wait(30)
        return EventDocuments("{}", "<p></p>")

    app = create_app(GatewaySettings(), open_services=closed, event_documents=documents)

    async def scenario() -> tuple[httpx.Response, httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            slow = asyncio.create_task(client.get("/docs/events"))
            assert await asyncio.to_thread(entered.wait, 30)
            other = await client.get("/docs")
            released.set()
            return await slow, other

    slow, other = asyncio.run(scenario())
    assert (slow.text, other.status_code) == ("<p></p>", 200)
