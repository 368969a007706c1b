"""Secrets out of what is printed: a client's or a server's message may repeat one."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pydantic import BaseModel, SecretStr

from kascribe.configuration.librdkafka import is_secret
from schemas.settings import Settings
from schemas.settings.catalogue import HIDDEN, without_credentials

SHORTEST_SECRET: Final = 4
"""Characters. A shorter one would mask parts of ordinary words."""

_VARIABLES: Final = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "HUGGINGFACE_HUB_TOKEN")


def secrets_of(settings: Settings, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return every secret of the settings and of the environment, the longest first."""
    found = {*_inside(settings), *(environment.get(name, "") for name in _VARIABLES)}
    return tuple(sorted((each for each in found if len(each) >= SHORTEST_SECRET), key=len, reverse=True))


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, and without credentials in addresses."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return without_credentials(text)


def _inside(model: BaseModel) -> Iterator[str]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name == "properties":
            # Every property of librdkafka is kept as a secret; the name of a user is none.
            yield from (each.get_secret_value() for key, each in value.items() if is_secret(key))
            continue
        for each in value.values() if isinstance(value, dict) else (value,):
            if isinstance(each, SecretStr):
                yield each.get_secret_value()
                yield from each.get_secret_value().split()
            elif isinstance(each, BaseModel):
                yield from _inside(each)
