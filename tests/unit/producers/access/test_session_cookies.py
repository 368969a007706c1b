"""When the cookie of a session counts as a request's key."""

import pytest

from producers.gateway.access.credentials import credential_in
from producers.gateway.access.sessions import ended_session, is_over_tls, session_cookie, with_session

HERE = "gateway.example:8001"
COOKIE = {"host": HERE, "cookie": "theme=dark; kascribe_session=kas_k1_secret; other=1"}
SAME = {"sec-fetch-site": "same-origin"}


def key_in(headers: dict[str, str], *, method: str = "GET") -> str | None:
    """Return the key of a request with a session's cookie and these headers."""
    return credential_in(with_session({**COOKIE, **headers}, method=method))


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", SAME),
        ("POST", SAME),
        ("POST", {**SAME, "origin": "https://behind.a.proxy"}),
        ("GET", {"sec-fetch-site": "none"}),
        ("GET", {}),
        ("HEAD", {}),
        ("DELETE", {"origin": f"http://{HERE}"}),
        ("GET", {**SAME, "authorization": "Basic dXNlcg=="}),
    ],
)
def test_the_cookie_counts_for_requests_of_its_own_origin(method: str, headers: dict[str, str]) -> None:
    """As Sec-Fetch-Site says, and over plain HTTP, where browsers do not send it, as Origin does."""
    assert key_in(headers, method=method) == "kas_k1_secret"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "something-new"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_the_cookie_counts_for_no_other_site(site: str, method: str) -> None:
    """Neither for another site, nor for another port of this host, which is the same site."""
    assert key_in({"sec-fetch-site": site}, method=method) is None
    assert key_in({"sec-fetch-site": site, "origin": f"http://{HERE}"}, method=method) is None


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("DELETE", {}),
        ("POST", {"origin": "null"}),
        ("POST", {"origin": "http://gateway.example:3000"}),
        ("GET", {"origin": "https://attacker.example"}),
    ],
)
def test_without_the_browsers_word_the_cookie_changes_nothing(method: str, headers: dict[str, str]) -> None:
    """A request that could change something needs a header that a page of another origin cannot have."""
    assert key_in(headers, method=method) is None


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
def test_the_cookie_never_beats_a_header(name: str) -> None:
    """A header with another key is the key, and one that is empty is no key."""
    prefix = "Bearer " if name == "authorization" else ""
    assert key_in({**SAME, name: f"{prefix}kas_other"}) == "kas_other"
    assert key_in({**SAME, name: prefix}) is None


@pytest.mark.parametrize(
    "cookie",
    [
        "kascribe_session=kas_mine; kascribe_session=kas_a_neighbours",
        "kascribe_session=",
        "kascribe_sessions=kas_k1",
        "nothing",
        "",
    ],
)
def test_a_cookie_that_is_not_one_key_is_none(cookie: str) -> None:
    """A neighbouring host of the same domain could add a second one, and so receive the uploads of others."""
    assert key_in({**SAME, "cookie": cookie}) is None


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    """HttpOnly and SameSite=Strict always, Secure under TLS; ending it names the same cookie."""
    assert (
        session_cookie("kas_k1", is_secure=False) == "kascribe_session=kas_k1; Path=/; HttpOnly; SameSite=Strict"
    )
    assert session_cookie("kas_k1", is_secure=True).endswith("; SameSite=Strict; Secure")
    assert ended_session(is_secure=True) == (
        "kascribe_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict; Secure"
    )


def test_a_browser_may_speak_tls_to_a_proxy() -> None:
    """The scheme of its origin tells, where the gateway itself is spoken to without TLS."""
    assert is_over_tls({}, scheme="https")
    assert is_over_tls({"origin": "https://gateway.example"}, scheme="http")
    assert not is_over_tls({"origin": "http://gateway.example"}, scheme="http")
