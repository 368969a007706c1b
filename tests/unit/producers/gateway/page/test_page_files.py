"""The page is files of the package, which name nothing outside the gateway."""

import asyncio
import hashlib
import re
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import httpx
import pytest

from producers.gateway.app import create_app
from producers.gateway.page import files, routes
from producers.gateway.services import Services
from schemas.settings import GatewaySettings

SITE: Final = Path(files.__file__).parent / "site"
LIBRARY: Final = {
    "LICENSE": "740725f7252e750af735d0028cc534970772f513331e9f68150fede8fb3ce00f",
    "LICENSE.preact": "1fe6958409c8c257a70c587a18b6f7f412b179b456630790d30b2ec9a8e4b7d4",
    "standalone.module.js": "72284e8e9079c87817145df1110f74e8a2aa040b2fc384922e18dfcb46fc1fd7",
}
"""SHA-256 of the files of htm 3.1.1 and of Preact's licence."""


def closed() -> AbstractAsyncContextManager[Services]:
    """Refuse to open services: files need none."""
    raise AssertionError("files need no services")


def answered(path: str, *, method: str = "GET", **headers: str) -> httpx.Response:
    """Return the answer of an application without services."""
    app = create_app(GatewaySettings(keys="required"), open_services=closed)
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def fetch() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.request(method, path, headers=named)

    return asyncio.run(fetch())


def test_the_library_is_the_published_one_with_its_licences() -> None:
    """Every vendored file is what the package had, and the README names its version and digest."""
    found = {path.name for path in (SITE / "library").iterdir()}
    assert found == LIBRARY.keys() | {"README.md"}
    for name, digest in LIBRARY.items():
        assert hashlib.sha256((SITE / "library" / name).read_bytes()).hexdigest() == digest, name
    assert LIBRARY["standalone.module.js"] in (SITE / "library" / "README.md").read_text()


def test_the_page_and_everything_that_it_loads_are_served_without_a_key() -> None:
    """Each file that the page or one of its modules names answers 200 with its type."""
    page = answered("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for named in re.findall(r'(?:href|src)="(page/[^"]+)"', page.text):
        answer = answered(f"/{named}")
        assert answer.status_code == 200, named
        assert answer.headers["content-type"].split(";")[0] == files.TYPES[Path(named).suffix]


def test_modules_import_files_that_there_are() -> None:
    """A renamed module is noticed here, and not in a reader's console."""
    served = files.page_files()
    for path, file in served.items():
        if not path.endswith(".js") or path.startswith("library/"):
            continue
        for imported in re.findall(r'from "([^"]+)"', file.body.decode()):
            target = (SITE / path).parent / imported
            assert str(target.resolve().relative_to(SITE.resolve())) in served, f"{path}: {imported}"


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/page/base.css"])
def test_files_are_revalidated_and_allow_nothing_inline(path: str) -> None:
    """A browser asks each time whether it has the current one; the policy names this origin alone."""
    answer = answered(path)
    assert answer.headers["content-security-policy"] == routes.CONTENT_SECURITY_POLICY
    assert "unsafe" not in routes.CONTENT_SECURITY_POLICY
    assert answer.headers["cache-control"] == "no-cache"
    again = answered(path, if_none_match=f'"other", W/{answer.headers["etag"]}')
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    assert answered(path, if_none_match='"other"').status_code == 200
    assert answered(path, method="HEAD").status_code == 200


def test_the_page_has_no_script_and_no_style_of_its_own() -> None:
    """The policy would block them."""
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)", answered("/").text)


@pytest.mark.parametrize(
    "path",
    ["/page/library/LICENSE", "/page/library/README.md", "/page/..%2Froutes.py", "/page/", "/page/index.html"],
)
def test_nothing_else_is_served(path: str) -> None:
    """Not the licence's text, and no path out of the folder."""
    assert answered(path).status_code == 404
