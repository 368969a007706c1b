"""Secrets out of what is printed: a client's or a server's message may repeat one."""

from collections.abc import Iterable, Mapping
from typing import Final

from kascribe.process.redaction import SECRET_VARIABLES, secret_values
from schemas.settings import Settings
from schemas.settings.catalogue import HIDDEN, without_credentials

SHORTEST_SECRET: Final = 4
"""Characters. A shorter one would mask parts of ordinary words."""


def secrets_of(settings: Settings, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return every secret of the settings and of the environment, the longest first."""
    found = {*secret_values(settings), *(environment.get(name, "") for name in SECRET_VARIABLES)}
    return tuple(sorted((each for each in found if len(each) >= SHORTEST_SECRET), key=len, reverse=True))


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, and without credentials in addresses."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return without_credentials(text)
