"""The pages work in a real browser without a network, on a desk and on a phone."""

from typing import Final, Literal

import pytest

from tests.flow.gateway import GatewayBench
from tests.support.browser import Visit, visiting
from tests.support.waiting import eventually

DESK: Final = (1200, 900, "light")
PHONE: Final = (390, 844, "dark")


def fits(visit: Visit) -> bool:
    """Return whether nothing is wider than the window."""
    return bool(visit.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize(("width", "height", "scheme"), [DESK, PHONE])
def test_the_page_lists_every_operation_and_requests_nothing_elsewhere(
    bench: GatewayBench, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    """All operations of openapi.json are there and open; the console is silent, and nothing is cut off."""
    gateway = bench.gateway()
    paths = gateway.request("GET", "/openapi.json").body["paths"]
    operations = sum(len(path) for path in paths.values())
    with visiting(f"http://127.0.0.1:{gateway.port}/docs", width=width, height=height, scheme=scheme) as visit:
        visit.page.locator(".opblock").first.wait_for()
        assert visit.page.locator(".opblock").count() == operations
        for path in paths:
            assert visit.page.locator(f'[data-path="{path}"]').count() > 0
        visit.page.locator(".opblock-summary-control").first.click()
        visit.page.locator(".responses-table").first.wait_for()
        eventually(
            lambda: fits(visit), timeout_seconds=10, what="a page that fits, whose parts are laid out in steps"
        )
    assert visit.requested_elsewhere == []
    assert visit.complaints == []


def test_a_request_that_is_tried_on_the_page_is_answered(bench: GatewayBench) -> None:
    """The viewer sends it to the gateway that serves the page, and shows the answer."""
    gateway = bench.gateway()
    with visiting(f"http://127.0.0.1:{gateway.port}/docs#/") as visit:
        health = visit.page.locator('.opblock:has([data-path="/health"])')
        health.locator(".opblock-summary-control").click()
        health.get_by_role("button", name="Try it out").click()
        health.get_by_role("button", name="Execute").click()
        live = health.locator(".live-responses-table .response-col_status")
        live.first.wait_for()
        assert "200" in live.last.inner_text()
    assert visit.requested_elsewhere == []
    assert visit.complaints == []


@pytest.mark.parametrize(("width", "height", "scheme"), [DESK, PHONE])
def test_the_page_of_the_topics_needs_no_script(
    bench: GatewayBench, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    """It shows every topic in the reader's colours; wide tables scroll by themselves."""
    gateway = bench.gateway()
    address = f"http://127.0.0.1:{gateway.port}/docs/events"
    with visiting(address, width=width, height=height, scheme=scheme) as visit:
        channels = gateway.request("GET", "/asyncapi.json").body["channels"]
        assert visit.page.locator("section[id^=channel-]").count() == len(channels)
        assert visit.page.locator("script").count() == 0
        ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 26)")
        eventually(
            lambda: fits(visit), timeout_seconds=10, what="a page that fits, whose parts are laid out in steps"
        )
    assert visit.requested_elsewhere == []
    assert visit.complaints == []
