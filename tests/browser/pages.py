"""The page of a gateway in a browser: how tests look at it and act on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import FilePayload, Locator, Page, expect

from models import selftest
from tests.flow.gateway import Gateway
from tests.support.browser import WAIT_MS, Visit, visiting

CLIPS: Final = {clip.path.stem: clip for clip in selftest.clips()}
FILES: Final = "input[type=file]"
expect.set_options(timeout=WAIT_MS)


@contextmanager
def opened(gateway: Gateway, place: str = "", **reader: Any) -> Iterator[Visit]:
    """Open a place of the page. Afterwards nothing was requested elsewhere, and the console is silent."""
    with visiting(f"http://127.0.0.1:{gateway.port}/{place}", **reader) as visit:
        visit.page.locator("main :is(h1, h2)").first.wait_for(state="attached")
        yield visit
    assert visit.requested_elsewhere == []
    assert visit.complaints == []


def sound(clip: str, name: str | None = None) -> FilePayload:
    """Return a recording of the selftest model, under a name of its own."""
    return {"name": name or f"{clip}.ogg", "mimeType": "audio/ogg", "buffer": CLIPS[clip].path.read_bytes()}


def no_sound(name: str, content: bytes = b"this is no audio" * 100) -> FilePayload:
    """Return a file that calls itself a recording, and is none."""
    return {"name": name, "mimeType": "audio/wav", "buffer": content}


def row(page: Page, name: str) -> Locator:
    """Return the row of a job, by the name of its file."""
    return page.locator("li.job", has=page.get_by_role("heading", name=name, exact=True)).first


def ask_for(page: Page, hotwords: str) -> None:
    """Choose an option that no other test does: equal recordings with equal options have one transcript."""
    page.locator(".options summary").click()
    page.get_by_label("Names and terms to expect").fill(hotwords)


def is_as_wide_as_its_window(page: Page) -> bool:
    """Return whether nothing has to be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
