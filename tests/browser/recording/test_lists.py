"""The list of all recordings that the archive has."""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.accessibility import violations
from tests.browser.pages import opened
from tests.browser.recording.shelf import Shelf, spoken
from tests.browser.recording.test_search import archived
from tests.flow.gateway import GatewayBench

PAGE_SIZE = 20


def test_the_list_has_what_was_made_before_the_page_was_opened(
    system: GatewayBench, shelf: Shelf, tmp_path: Path
) -> None:
    """A page at a time, by name and by state; a job that is deleted does not come back."""
    for number in range(PAGE_SIZE + 2):
        shelf.put(f"minutes {number}.wav", spoken([f"point {number} of the agenda"]))
    with opened(archived(system, tmp_path)) as visit:
        page = visit.page
        rows = page.locator(".job")
        expect(rows).to_have_count(PAGE_SIZE)
        page.get_by_role("searchbox", name="Filter by name").fill("minutes")
        expect(rows.filter(has_text="minutes")).to_have_count(PAGE_SIZE)
        page.get_by_role("button", name="Show more").click()
        expect(rows).to_have_count(PAGE_SIZE + 2)
        page.get_by_role("searchbox", name="Filter by name").fill("minutes 2")
        expect(rows).to_have_count(3)
        expect(rows.filter(has_text="minutes 21.wav").locator(".job-text")).to_have_text("point 21 of the agenda")
        assert violations(page) == []
        page.get_by_role("combobox", name="State").select_option("failed")
        expect(rows).to_have_count(0)
        page.get_by_role("combobox", name="State").select_option("")
        expect(rows).to_have_count(3)
        rows.filter(has_text="minutes 21.wav").get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(rows).to_have_count(2)
        page.reload()
        page.get_by_role("searchbox", name="Filter by name").fill("minutes 2")
        expect(rows).to_have_count(2)
