"""The secrets of API keys, and the digests under which the keys are stored.

A secret has 256 random bits. NIST SP 800-63B (section 5.1.2.2, look-up secrets) asks for salt and a slow function
only below 112 bits: more cannot be guessed, at whatever speed. So a plain SHA-256 is right, and it is fast enough
for every request.
"""

import hashlib
import re
import secrets
from typing import Final

PREFIX: Final = "kas_"
"""By which scanners of repositories and logs find secrets that leaked."""

SECRET_BYTES: Final = 32
_SECRET: Final = re.compile(f"{PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)


def new_secret() -> str:
    """Return a random secret: the prefix and 43 characters of base64 for URLs."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def is_secret(text: str) -> bool:
    """Return whether a text has the form of a secret; any other needs no look at the store."""
    return _SECRET.fullmatch(text) is not None


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a secret, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()
