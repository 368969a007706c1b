"""Which hosts and origins a request may name. Pure.

A web page may send requests to any address that its visitor's machine reaches. Browsers say its origin in headers,
except when its own name resolves to our address (DNS rebinding): then only Host tells.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from schemas.settings.gateway import is_loopback


def host_name(authority: str) -> str | None:
    """Return the host of ``host:port`` in lower case, without brackets; None when it cannot be read."""
    try:
        parts = urlsplit(f"//{authority}")
        _ = parts.port  # raises for a port that is no number
        return (parts.hostname or "").rstrip(".") if parts.netloc == authority and "@" not in authority else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class HostRule:
    """The values of Host that are accepted on a listener.

    ``allowed`` are names without ports. Without any, a loopback listener accepts loopback names and its own
    address; another listener accepts every name.
    """

    listen_host: str
    allowed: Collection[str] = ()

    def accepts(self, authority: str, *, local_address: str | None) -> bool:
        """Return whether a request may name this host; ``local_address`` is the connection's end on this machine.

        A request without Host comes from no browser, and is accepted.
        """
        host = host_name(authority)
        if host is None or not authority:
            return host is not None
        if host == local_address or host in self.allowed:
            return True  # an address in Host was no name that could have been rebound
        if self.allowed:
            return False
        return not is_loopback(self.listen_host) or is_loopback(host) or host == self.listen_host.lower()


@dataclass(frozen=True, slots=True)
class OriginRule:
    """The web pages that may send requests: those of the same origin, and the ``allowed`` origins."""

    allowed: Collection[str] = ()

    def accepts(self, headers: Mapping[str, str], *, method: str) -> bool:
        """Return whether a request may come from where its headers say; those without any come from no browser.

        Following a link from another site is accepted: the answer is shown, and no page can read it.
        """
        origin = headers.get("origin")
        if origin is not None:
            return origin in self.allowed or is_same_origin(origin, headers.get("host", ""))
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return True
        return method == "GET" and _is_followed_link(headers)


def is_same_origin(origin: str, authority: str) -> bool:
    """Return whether an Origin and a Host are of the same site and port."""
    # The scheme is not compared: a proxy may have taken the TLS off. The ports are, where both are written.
    parts = urlsplit(origin)
    return bool(parts.netloc) and parts.netloc.lower() == authority.lower()


def _is_followed_link(headers: Mapping[str, str]) -> bool:
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
