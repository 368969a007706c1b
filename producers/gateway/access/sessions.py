"""The cookie of a browser's session: an API key where scripts cannot read it. Pure.

An ``EventSource`` and an ``<audio>`` element send no headers of their own, but do send cookies. So does any page
of another origin; hence the cookie counts only where the browser says that the request is of this origin.
"""

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final

from producers.gateway.access.credentials import API_KEY_HEADER
from producers.gateway.access.hosts import is_same_origin

SESSION_COOKIE: Final = "kascribe_session"
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_OF_HERE: Final = ("same-origin", "none")
"""Values of Sec-Fetch-Site: a page of this origin, or the reader's own doing, such as an address typed in."""


def with_session(headers: Mapping[str, str], *, method: str) -> Mapping[str, str]:
    """Return a request's headers with the session's key in Authorization, if the cookie counts.

    It never counts beside a bearer token or ``X-Api-Key``, nor for a request that is not of this origin.
    """
    if names_key(headers) or not _is_of_here(headers, method):
        return headers
    secret = _secret_in(headers.get("cookie", ""))
    return headers if secret is None else {**headers, "authorization": f"Bearer {secret}"}


def names_key(headers: Mapping[str, str]) -> bool:
    """Return whether a header is there to name a key, even one that is empty."""
    is_bearer = headers.get("authorization", "").strip().lower().partition(" ")[0] == "bearer"
    return is_bearer or API_KEY_HEADER in headers


def session_cookie(secret: str, *, is_secure: bool) -> str:
    """Return the value of Set-Cookie that begins a session. It ends with the browser's own."""
    return f"{SESSION_COOKIE}={secret}; {_attributes(is_secure=is_secure)}"


def ended_session(*, is_secure: bool) -> str:
    """Return the value of Set-Cookie that ends a session."""
    return f"{SESSION_COOKIE}=; Max-Age=0; {_attributes(is_secure=is_secure)}"


def is_over_tls(headers: Mapping[str, str], *, scheme: str) -> bool:
    """Return whether the browser speaks TLS: to the gateway, or to a proxy before it, which the origin tells."""
    return scheme == "https" or headers.get("origin", "").startswith("https://")


def _attributes(*, is_secure: bool) -> str:
    return f"Path=/; HttpOnly; SameSite=Strict{'; Secure' if is_secure else ''}"


def _is_of_here(headers: Mapping[str, str], method: str) -> bool:
    """Return whether the browser says that a request is of this origin.

    Over plain HTTP browsers send Sec-Fetch-Site to this machine alone, but Origin with every unsafe method.
    """
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in _OF_HERE
    if (origin := headers.get("origin")) is not None:
        return is_same_origin(origin, headers.get("host", ""))
    return method in SAFE_METHODS


def _secret_in(cookies: str) -> str | None:
    """Return the session's key. Two cookies of the name are none: a neighbouring host can add its own."""
    if sum(part.partition("=")[0].strip() == SESSION_COOKIE for part in cookies.split(";")) != 1:
        return None
    try:
        parsed = SimpleCookie(cookies)
    except CookieError:
        return None
    return parsed[SESSION_COOKIE].value.strip() or None if SESSION_COOKIE in parsed else None
