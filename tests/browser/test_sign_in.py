"""Keys on the page: sign in once, and out again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from producers.api_keys.rights import Right
from producers.api_keys.store import ApiKeys
from tests.browser.accessibility import violations
from tests.browser.page_bench import PageBench
from tests.browser.pages import CLIPS, FILES, row
from tests.contract.access.key_suite import key_of
from tests.flow.gateway import Gateway
from tests.support.browser import Visit, visiting

ACROSS = """target => {
  const form = Object.assign(document.createElement("form"), {method: "post", action: target});
  document.body.append(form);
  form.submit();
}"""
REFUSED = "Failed to load resource: the server responded with a status of 401 (Unauthorized)"


@pytest.fixture(scope="module")
def locked(bench: PageBench) -> Gateway:
    """Start a gateway that requires keys."""
    return bench.system.gateway(keys="required", enrichment=False)


@pytest.fixture(scope="module")
def keys(bench: PageBench) -> ApiKeys:
    """Return the store of keys."""
    return ApiKeys(bench.system.settings.s3, client=bench.system.client)


class OtherPage(BaseHTTPRequestHandler):
    """A page of another program on this machine, with no policy of its own."""

    def do_GET(self) -> None:
        """Answer any path."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "9")
        self.end_headers()
        self.wfile.write(b"<p>A page")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def neighbour() -> Iterator[str]:
    """Serve the page on another port; yields its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OtherPage) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def address(gateway: Gateway, place: str = "") -> str:
    """Return the address of a place on the page."""
    return f"http://127.0.0.1:{gateway.port}/{place}"


def sign_in(visit: Visit, secret: str) -> None:
    """Send the form with a key."""
    visit.page.get_by_label("API key").fill(secret)
    visit.page.get_by_role("button", name="Sign in").click()


def test_a_key_opens_the_page_where_the_reader_wanted_to_go(keys: ApiKeys, locked: Gateway) -> None:
    """A wrong key is explained; the right one leads on, is out of reach of scripts, and works for live events."""
    secret = keys.issue(key_of("page-1", tenant="page", rights=tuple(Right)))
    with visiting(address(locked, "#/search?q=zero")) as visit:
        page = visit.page
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(page.get_by_label("API key")).to_be_focused()
        assert violations(page) == []
        sign_in(visit, "kas_wrong")
        expect(page.get_by_role("alert")).to_contain_text("There is no such key")
        sign_in(visit, secret)
        expect(page).to_have_url(address(locked, "#/search?q=zero"))
        assert secret not in page.evaluate("document.cookie + JSON.stringify(localStorage)")
        page.get_by_role("link", name="Kascribe, start").click()
        page.locator(FILES).set_input_files([CLIPS["en-digits"].path])
        expect(row(page, "en-digits.ogg").locator(".job-text")).to_have_text(CLIPS["en-digits"].text)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert page.context.cookies() == []
    assert visit.requested_elsewhere == []
    assert set(visit.complaints) <= {REFUSED}


def test_a_key_shows_only_what_it_may_do(keys: ApiKeys, locked: Gateway) -> None:
    """One that may only read has no upload; when it is revoked, the page asks for another."""
    secret = keys.issue(key_of("page-2", tenant="page", rights=(Right.READ,)))
    with visiting(address(locked)) as visit:
        sign_in(visit, secret)
        expect(visit.page.get_by_role("heading", name="Transcripts", exact=True)).to_be_visible()
        expect(visit.page.get_by_role("button", name="Choose files")).to_have_count(0)
        visit.page.context.clear_cookies()
        visit.page.reload()
        expect(visit.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert set(visit.complaints) <= {REFUSED}


def test_a_page_of_another_port_cannot_use_the_session(keys: ApiKeys, locked: Gateway) -> None:
    """It is the same site, and so is sent the cookie; the gateway refuses it all the same."""
    secret = keys.issue(key_of("page-3", tenant="page", rights=tuple(Right)))
    with neighbour() as elsewhere, visiting(address(locked)) as visit:
        sign_in(visit, secret)
        expect(visit.page.get_by_role("button", name="Sign out")).to_be_visible()
        visit.page.unroute("**")
        visit.page.goto(elsewhere)
        target = address(locked, "v1/jobs")
        with visit.page.expect_response(target) as answered:
            visit.page.evaluate(ACROSS, target)
        assert answered.value.status == 403
