"""Search in all recordings: where the words were said, and a link that plays from there."""

from pathlib import Path

from playwright.sync_api import expect
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from consumers.archive.bucket import ResultsBucket
from consumers.archive.database import ArchiveDatabase
from consumers.archive.loading import LOADED, BucketLoader
from consumers.metrics import Metrics
from kascribe.wiring.archive import opened_for_writing
from schemas.clock import SystemClock
from schemas.settings import ArchiveSettings
from tests.browser.accessibility import violations
from tests.browser.pages import is_as_wide_as_its_window, opened
from tests.browser.recording.shelf import Shelf, spoken
from tests.flow.gateway import Gateway, GatewayBench

HOSTILE = "<b>bold</b> words about the sextant"


def archived(system: GatewayBench, directory: Path) -> Gateway:
    """Start a gateway with an archive of everything that is on the shelf."""
    settings = ArchiveSettings(url=SecretStr(f"sqlite:///{directory}/archive.db"))
    clock = SystemClock()
    with opened_for_writing(settings) as engine:
        database = ArchiveDatabase(engine)
        database.prepare(now_ms=clock.now_ms())
        bucket = ResultsBucket(system.settings.s3, client=system.client)
        BucketLoader(bucket, database, clock, Metrics(CollectorRegistry(), (LOADED,))).load()
    return system.gateway(settings=system.settings.model_copy(update={"archive": settings}))


def test_words_are_found_in_all_recordings(system: GatewayBench, shelf: Shelf, tmp_path: Path) -> None:
    """From the field above: each place with its time and the words marked; a click plays from there."""
    texts = [*(["nothing of note"] * 4), HOSTILE, "a Sextant again", "sextant", "sextant", "sextant"]
    first = shelf.put("voyage.wav", spoken(texts))
    shelf.put("harbour.wav", spoken(["the sextant is at home"]))
    shelf.put("회의.wav", spoken(["광화문광장에서 만납시다"]), language="ko")
    with opened(archived(system, tmp_path)) as visit:
        page = visit.page
        search = page.get_by_role("searchbox", name="Search transcripts")
        search.fill("sextant")
        page.keyboard.press("Enter")
        results = page.locator(".result")
        expect(results).to_have_count(2)
        voyage = page.locator(".result", has=page.get_by_role("heading", name="voyage.wav"))
        expect(voyage.locator(".hits li")).to_have_count(3)
        expect(voyage.locator("mark").first).to_have_text("sextant")
        expect(voyage).to_contain_text(HOSTILE)
        expect(voyage.get_by_role("link", name="2 more places")).to_be_visible()
        assert violations(page) == []
        page.set_viewport_size({"width": 320, "height": 700})
        assert is_as_wide_as_its_window(page)
        page.set_viewport_size({"width": 1200, "height": 900})
        voyage.locator(".hits a").first.click()
        expect(page).to_have_title("voyage.wav · Kascribe")
        assert first in page.url
        expect(page.locator("[aria-current]")).to_contain_text("sextant")
        expect(page.locator(".find .found")).to_have_text("1 of 5")
        page.wait_for_function("at => document.querySelector('audio').currentTime > at", arg=6.2)
        search.fill("광화문")
        page.keyboard.press("Enter")
        expect(page.locator(".result mark")).to_have_text(["광화문"])
        search.fill("unspoken")
        page.keyboard.press("Enter")
        expect(page.get_by_text("No transcript has all of these words.")).to_be_visible()


def test_without_an_archive_the_page_says_how_to_have_one(gateway: Gateway) -> None:
    """The setting is named, and nothing is requested that would be refused."""
    with opened(gateway, "#/search?q=anything") as visit:
        expect(visit.page.get_by_text("Search needs the archive")).to_be_visible()
        expect(visit.page.get_by_text("KASCRIBE_ARCHIVE_URL")).to_be_visible()
