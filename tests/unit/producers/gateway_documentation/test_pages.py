"""The pages of the documentation are files of the package, and name nothing outside the gateway."""

import asyncio
import hashlib
import re
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import httpx
import pytest

from kascribe.wiring.documentation import event_documents
from producers.gateway.app import create_app
from producers.gateway.documentation import pages
from producers.gateway.services import Services
from schemas.settings import GatewaySettings

VENDORED: Final = Path(pages.__file__).parent / "swagger_ui"
DIGESTS: Final = {
    "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
    "NOTICE": "0d20d1adef18aee3f40dd258172155521ce702ac445cb5f7b7d60ed32dad2fb2",
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui-bundle.js.LICENSE.txt": "37eb6e7e59aed57b2c1acf076574b818ea07b74265717e0bd67b59e0baf9abbb",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
}
"""SHA-256 of the files of swagger-ui-dist 5.35.0."""


def closed() -> AbstractAsyncContextManager[Services]:
    """Refuse to open services: pages need none."""
    raise AssertionError("pages need no services")


def fetched(*paths: str) -> list[httpx.Response]:
    """Request paths of an application without services."""
    app = create_app(GatewaySettings(), open_services=closed, event_documents=event_documents)

    async def fetch() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(fetch())


def test_the_viewer_is_the_published_one_with_its_licence() -> None:
    """Every vendored file is what the package had; an upgrade changes the digests here."""
    found = {path.name for path in VENDORED.iterdir()}
    assert found == DIGESTS.keys() | {"README.md"}
    for name, digest in DIGESTS.items():
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == digest, name


def test_pages_load_what_the_gateway_serves_and_nothing_else() -> None:
    """Each address in a page is relative, and answers 200 with the type of its name."""
    for at, page in zip(("/docs", "/docs/events"), fetched("/docs", "/docs/events"), strict=True):
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        named = re.findall(r'(?:href|src)="([^"#]+)', page.text)
        assert named
        assert not [address for address in named if ":" in address or address.startswith("/")]
        targets = [str(httpx.URL(f"http://localhost{at}").join(address)) for address in named]
        assert {answer.status_code for answer in fetched(*targets)} == {200}, at


@pytest.mark.parametrize("path", ["/docs", "/docs/events", "/docs/files/page.js"])
def test_pages_allow_no_script_and_no_style_but_files(path: str) -> None:
    """The policy allows only the gateway itself, and no page has anything inline."""
    (answer,) = fetched(path)
    policy = answer.headers["content-security-policy"]
    assert policy == pages.CONTENT_SECURITY_POLICY
    assert "unsafe" not in policy
    if path != "/docs/files/page.js":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)", answer.text)


def test_only_the_named_files_are_served() -> None:
    """Not the licence's text, and no path out of the folder."""
    answers = fetched("/docs/files/LICENSE", "/docs/files/..%2Fpages.py", "/docs/files/")
    assert {answer.status_code for answer in answers} == {404}


def test_the_documents_are_served_as_json() -> None:
    """Generators and viewers read them from the gateway."""
    openapi, asyncapi = fetched("/openapi.json", "/asyncapi.json")
    assert openapi.json()["openapi"].startswith("3.1")
    assert asyncapi.json()["asyncapi"].startswith("3.1")


def test_without_documents_of_the_topics_their_page_is_not_there() -> None:
    """An application that is built by itself has the HTTP API alone."""
    app = create_app(GatewaySettings(), open_services=closed)
    paths = {getattr(route, "path", "") for route in app.routes}
    assert "/docs" in paths
    assert "/docs/events" not in paths
