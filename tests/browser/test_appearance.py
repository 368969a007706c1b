"""The page for every reader: both languages and colour schemes, a phone, the keyboard, a screen reader."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import violations
from tests.browser.pages import FILES, is_as_wide_as_its_window, no_sound, opened, row, sound
from tests.flow.gateway import Gateway

PHONE = {"width": 320, "height": 700}


def with_jobs(page: Page) -> None:
    """Show a transcript and a failure."""
    page.locator(FILES).set_input_files([no_sound("broken.wav"), sound("ko-digits", "말소리.ogg")])
    expect(row(page, "broken.wav")).to_have_attribute("data-phase", "failed")
    expect(row(page, "말소리.ogg")).to_have_attribute("data-phase", "completed")


@pytest.mark.parametrize(
    "reader",
    [
        {"scheme": "light"},
        {"scheme": "dark", "locale": "ko-KR"},
        {**PHONE, "locale": "ko-KR"},
        {**PHONE, "scheme": "dark"},
    ],
    ids=["light", "dark and Korean", "a phone in Korean", "a phone in the dark"],
)
def test_the_start_is_accessible_and_fits(gateway: Gateway, reader: dict[str, Any]) -> None:
    """axe-core finds nothing, with the options open as well, and nothing has to be scrolled sideways."""
    with opened(gateway, **reader) as visit:
        page = visit.page
        with_jobs(page)
        page.locator(".options summary").click()
        assert violations(page) == []
        assert is_as_wide_as_its_window(page)
        page.locator("li.job").first.get_by_role("button").last.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert violations(page) == []


def test_the_language_is_the_readers_and_can_be_switched(gateway: Gateway) -> None:
    """The switch changes everything at once, and is kept."""
    with opened(gateway, locale="ko-KR") as visit:
        page = visit.page
        expect(page.get_by_role("heading", name="새 받아쓰기")).to_be_visible()
        expect(page.locator("html")).to_have_attribute("lang", "ko")
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", name="New transcript")).to_be_visible()
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.reload()
        expect(page.get_by_role("heading", name="New transcript")).to_be_visible()


def test_the_colours_are_the_readers_and_can_be_switched(gateway: Gateway) -> None:
    """As the system's until the switch is used; the choice is there before the first paint of the next visit."""
    ground = "getComputedStyle(document.body).backgroundColor"
    with opened(gateway, scheme="dark") as visit:
        page = visit.page
        dark = page.evaluate(ground)
        page.get_by_role("button", name="Colours as in the system").click()
        light = page.evaluate(ground)
        assert sum(map(int, light[4:-1].split(","))) > 3 * 200 > 3 * 60 > sum(map(int, dark[4:-1].split(",")))
        page.reload()
        assert page.evaluate(ground) == light
        page.get_by_role("button", name="Light colours").click()
        assert page.evaluate(ground) == dark


def test_everything_is_reached_by_keyboard(gateway: Gateway) -> None:
    """In the order of the page, each with a visible focus, beginning with the way to the content."""
    with opened(gateway) as visit:
        page = visit.page
        expect(page.get_by_role("button", name="Choose files")).to_be_visible()
        names = []
        for _ in range(9):
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            names.append(str(focused.evaluate("each => each.ariaLabel || each.innerText.trim()")))
            outlined = focused.evaluate("each => getComputedStyle(each).outlineStyle")
            assert outlined != "none", names
        assert names[:3] == ["Skip to the content", "Kascribe, start", "Search transcripts"]
        assert names[3:8] == ["API", "한국어", names[5], "Choose files", "Record"]
        assert names[8].startswith("Options")


def test_a_place_that_there_is_not_says_so(gateway: Gateway) -> None:
    """And leads back; other views have titles of their own."""
    with opened(gateway, "#/nowhere") as visit:
        page = visit.page
        expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
        page.get_by_role("link", name="Back to the start").click()
        expect(page.get_by_role("button", name="Choose files")).to_be_visible()
        page.get_by_role("searchbox", name="Search transcripts").fill("zero one")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"http://127.0.0.1:{gateway.port}/#/search?q=zero+one")
        expect(page).to_have_title("zero one · Kascribe")
