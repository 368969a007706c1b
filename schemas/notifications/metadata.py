"""Normalisation of user metadata as the stores report it."""

import re
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Final
from urllib.parse import unquote

PREFIX: Final = "x-amz-meta-"
_SPACE: Final = " \t\r\n"
"""Around the value of a header. Others may be half of a character: UTF-8 that was decoded as Latin-1."""

_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")


def plain_metadata(reported: Mapping[str, str]) -> dict[str, str]:
    """Normalise metadata: lower-case names without ``x-amz-meta-``, with ``-`` for ``_``; decoded values.

    Drops system metadata (``content-type``), which MinIO reports together with the user's.
    """
    found: dict[str, str] = {}
    for reported_name, value in reported.items():
        name = reported_name.strip().lower().replace("_", "-")
        if name.startswith(PREFIX):
            found[name.removeprefix(PREFIX)] = readable(value)
    return found


def readable(value: str) -> str:
    """Decode a header's value: S3 metadata is ASCII, so clients encode it, each in its own way.

    Supports RFC 2047 words (which AWS returns), percent-encoding, and UTF-8 that was decoded as Latin-1.
    """
    text = value.strip(_SPACE)
    if "=?" in text and "?=" in text:
        return _rfc2047(text)
    if _PERCENT.search(text):
        return _percent(text)
    return text if text.isascii() else _latin1(text)


def _rfc2047(text: str) -> str:
    try:
        decoded = str(make_header(decode_header(text)))
        decoded.encode()  # UTF-7 can contain half a character, which no event can carry
        return decoded
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return text


def _percent(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text


def _latin1(text: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
