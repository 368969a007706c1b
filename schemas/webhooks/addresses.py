"""The form of a webhook's address, without looking at settings or DNS."""

import re
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

URL_CHARACTERS: Final = 2_048
_DRAWN: Final = re.compile(r"[\x21-\x7e]+")
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")
_IPV6: Final = re.compile(r"[0-9a-f:.]+")
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class WebhookAddress(NamedTuple):
    """The parts of an address that rules look at. ``host`` is in lower case, without brackets."""

    scheme: str
    host: str
    port: int


def address_of(url: str) -> WebhookAddress:
    """Return the parts of a URL. Raises ValueError, in a sentence that says what to write instead."""
    if len(url) > URL_CHARACTERS:
        raise ValueError(f"a webhook's URL is limited to {URL_CHARACTERS:,} characters; this has {len(url):,}")
    if not _DRAWN.fullmatch(url) or "\\" in url:
        raise ValueError(
            "write the URL in ASCII without spaces: percent-encode its path, and write the host as xn--…"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"this is no URL ({error}): write https://host/path") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.netloc or not parts.hostname:
        raise ValueError("a webhook's URL is https://host/path")
    if "@" in parts.netloc:
        raise ValueError("credentials do not belong into a webhook's URL: verify the signature instead")
    if "#" in url:
        raise ValueError("a webhook's URL has no fragment: leave out what follows #")
    pattern = _IPV6 if "[" in parts.netloc else _NAME
    if not pattern.fullmatch(parts.hostname) or port == 0:
        raise ValueError(
            "a webhook's URL names a host by its letters, digits, dots and hyphens: https://host/path"
        )
    return WebhookAddress(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])


def _of_good_form(url: str) -> str:
    address_of(url)
    return url


WebhookUrl = Annotated[
    str,
    AfterValidator(_of_good_form),
    Field(max_length=URL_CHARACTERS, json_schema_extra={"pattern": "^https?://"}),
]
"""A URL of good form. Whether events may be sent there is decided by ``schemas.webhooks.targets``."""
