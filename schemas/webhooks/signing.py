"""Secrets and signatures of Standard Webhooks 1.0: HMAC-SHA256 over id, timestamp and body."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final

SECRET_PREFIX: Final = "whsec_"
SHORTEST_SECRET_BYTES: Final = 24
LONGEST_SECRET_BYTES: Final = 64
NEW_SECRET_BYTES: Final = 32
SECRETS_LIMIT: Final = 2
"""A new secret and the one that it replaces."""

_SECRET_FORM: Final = (
    "Input should be whsec_ and 24 to 64 bytes in base64, as `kascribe webhooks secret` prints it, once or twice"
)
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")


def new_secret(random_bytes: bytes) -> str:
    """Return a secret made of ``NEW_SECRET_BYTES`` random bytes."""
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def keys_of(secrets: str) -> tuple[bytes, ...]:
    """Return the keys of one secret, or of two with a space between. Raises ValueError; its text has no secret."""
    given = secrets.split()
    if not 1 <= len(given) <= SECRETS_LIMIT:
        raise ValueError(_SECRET_FORM)
    return tuple(map(_key, given))


def message_id(event_id: str) -> str:
    """Return the ``webhook-id`` of an event: its id, with ``_`` for each dot.

    A dot separates what is signed, so it cannot be part of the id. An id that no header can have becomes a digest.
    """
    plain = event_id.replace(".", "_")
    return plain if _PLAIN_ID.fullmatch(plain) else hashlib.sha256(event_id.encode()).hexdigest()


def signature(keys: Iterable[bytes], *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the ``webhook-signature``: one for each key, with spaces between. ``timestamp`` is in seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(_SECRET_FORM) from None
    if not secret.startswith(SECRET_PREFIX) or not SHORTEST_SECRET_BYTES <= len(key) <= LONGEST_SECRET_BYTES:
        raise ValueError(_SECRET_FORM)
    return key
