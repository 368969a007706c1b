"""The API key that a request carries."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from producers.api_keys.key import ApiKey, KeyState
from producers.gateway.failures import RequestRefused

API_KEY_HEADER: Final = "x-api-key"
CHALLENGE: Final = 'Bearer realm="kascribe"'
"""RFC 6750, section 3: a request without credentials learns the scheme, and of no error."""


def credential_in(headers: Mapping[str, str]) -> str | None:
    """Return the secret of ``Authorization: Bearer`` or else of ``X-Api-Key``; None when there is neither."""
    scheme, _, credential = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and credential.strip():
        return credential.strip()
    return headers.get(API_KEY_HEADER, "").strip() or None


def key_missing() -> RequestRefused:
    """Return the refusal of a request without a key."""
    return RequestRefused(
        HTTPStatus.UNAUTHORIZED,
        "key_missing",
        "send an API key: Authorization: Bearer kas_… (`kascribe keys add` makes one)",
        headers={"WWW-Authenticate": CHALLENGE},
    )


def key_invalid() -> RequestRefused:
    """Return the refusal of a key that is not stored."""
    return _invalid("key_invalid", "there is no such API key: `kascribe keys list` shows those that there are")


def key_ended(key: ApiKey, state: KeyState) -> RequestRefused:
    """Return the refusal of a key that was accepted once."""
    ending = "was revoked" if state is KeyState.REVOKED else "has expired"
    return _invalid(f"key_{state.value}", f"the API key {key.id} {ending}: `kascribe keys add` makes another one")


def _invalid(reason: str, message: str) -> RequestRefused:
    challenge = f'{CHALLENGE}, error="invalid_token"'
    return RequestRefused(HTTPStatus.UNAUTHORIZED, reason, message, headers={"WWW-Authenticate": challenge})


def too_many(reason: str, message: str, *, retry_seconds: float) -> RequestRefused:
    """Return a refusal that passes by itself (RFC 6585, section 4)."""
    headers = {"Retry-After": str(max(1, int(-(-retry_seconds // 1))))}
    return RequestRefused(HTTPStatus.TOO_MANY_REQUESTS, reason, message, headers=headers)
