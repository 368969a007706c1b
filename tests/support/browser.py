"""A browser for tests of pages: Debian's Chromium, which sees nothing but one server."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from playwright.sync_api import Page, Playwright, Request, Route, ViewportSize, sync_playwright

from tests.support.listening import missing

CHROMIUM: Final = "chromium"
WAIT_MS: Final = 30_000


@dataclass
class Visit:
    """One page, what it requested elsewhere, and what its console said."""

    page: Page
    requested_elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """The reader of a page: the window, the preferences, and further arguments of Chromium."""

    width: int = 1200
    height: int = 900
    scheme: Literal["light", "dark"] = "light"
    locale: str = "en-GB"
    arguments: tuple[str, ...] = ()


@contextmanager
def visiting(
    address: str,
    *,
    width: int = 1200,
    height: int = 900,
    scheme: Literal["light", "dark"] = "light",
    locale: str = "en-GB",
    arguments: tuple[str, ...] = (),
) -> Iterator[Visit]:
    """Open an address; requests to other servers are refused and noted. Skips the test without Chromium.

    ``arguments`` are further ones of Chromium's command line.
    """
    program = shutil.which(CHROMIUM)
    if program is None:
        missing("no chromium on PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        reader = Reader(width=width, height=height, scheme=scheme, locale=locale, arguments=arguments)
        yield from _visit(playwright, program, address, reader)


def _visit(playwright: Playwright, program: str, address: str, reader: Reader) -> Iterator[Visit]:
    # Chromium's sandbox needs user namespaces, which containers often lack; root may not use it at all.
    sandbox = [] if os.geteuid() else ["--no-sandbox"]
    browser = playwright.chromium.launch(executable_path=program, args=[*sandbox, *reader.arguments])
    window: ViewportSize = {"width": reader.width, "height": reader.height}
    page = browser.new_page(viewport=window, color_scheme=reader.scheme, locale=reader.locale)
    page.set_default_timeout(WAIT_MS)
    visit = Visit(page)
    origin = address.split("/", 3)[:3]

    def decide(route: Route, request: Request) -> None:
        if request.url.split("/", 3)[:3] == origin:
            route.continue_()
        else:
            visit.requested_elsewhere.append(request.url)
            route.abort()

    page.route("**", decide)
    page.on("console", lambda said: visit.complaints.append(said.text) if said.type != "log" else None)
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.goto(address)
    try:
        yield visit
    finally:
        browser.close()
