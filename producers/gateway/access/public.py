"""What is answered without a key: health and metrics, which name no tenant and no job; files of pages."""

from typing import Final

PUBLIC_PATHS: Final = frozenset(
    {"/", "/health", "/metrics", "/openapi.json", "/docs", "/asyncapi", "/asyncapi.json"}
)
PUBLIC_FOLDERS: Final = ("/health/", "/page/", "/docs/", "/asyncapi/")


SIGN_OUT: Final = ("DELETE", "/v1/session")
"""Also after the key was revoked."""


def is_public(path: str, *, method: str = "GET") -> bool:
    """Return whether a request needs no key; every other one does, also where there is no route."""
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_FOLDERS) or (method, path) == SIGN_OUT
