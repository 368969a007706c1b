"""A path that several routes share names the methods of them all."""

import asyncio

import httpx

from producers.gateway.app import create_app
from schemas.settings import GatewaySettings
from tests.unit.producers.gateway_documentation.test_pages import closed


def test_a_wrong_method_is_answered_with_those_of_every_route_of_the_path() -> None:
    """RFC 9110, section 10.2.1: the header Allow lists what the resource supports, whichever route has it."""
    app = create_app(GatewaySettings(), open_services=closed)

    async def send() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return [await client.patch(path) for path in ("/v1/jobs/7", "/health", "/transcribe")]

    answers = asyncio.run(send())
    assert {answer.status_code for answer in answers} == {405}
    assert [answer.headers["allow"] for answer in answers] == ["DELETE, GET", "GET, HEAD", "POST"]
