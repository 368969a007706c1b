"""Removal of secrets from log lines: by their names, by their form, and the process's own by their values."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from structlog.typing import EventDict, WrappedLogger

from kascribe.configuration.librdkafka import is_secret as is_secret_property

REDACTED: Final = "[redacted]"

SECRET_CHARACTERS: Final = 6
"""A shorter secret is not looked for by its value: it would hide ordinary words, and protects nothing."""

SECRET_VARIABLES: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "HF_TOKEN",
    "HUGGINGFACE_HUB_TOKEN",
)
"""Variables that libraries read for themselves."""

_SECRET_NAME: Final = re.compile(
    r"(?i)(secret|password|passwd|token$|api_?key|authorization|credential|signature|cookie)"
)


def _form(kept: str, secret: str, *hints: str) -> tuple[tuple[str, ...], re.Pattern[str]]:
    return hints, re.compile(f"(?P<kept>{kept}){secret}")


_FORMS: Final = (
    # User and password in an address; the query of an address, which presigned addresses and webhooks sign in.
    _form(r"(?i:[a-z][a-z0-9+.-]*://)", r"[^/\s:@\"']+:[^/\s@\"']+(?=@)", "@"),
    _form(r"(?i:https?://)[^\s?\"'<>]+\?", r"[^\s\"'<>]+", "?"),
    # Signed parameters of an address without its host, as urllib3 and botocore write it.
    _form(
        r"[?&](?i:x-amz-[a-z-]+|awsaccesskeyid|signature|sig|access_token|token|api_key)=", r"[^&\s\"']+", "?", "&"
    ),
    _form(r"\b(?i:bearer|basic) ", r"[A-Za-z0-9._~+/=-]{6,}", "earer ", "asic ", "EARER ", "ASIC "),
    _form(r"\b(?:kas_|whsec_|hf_|sk-)", r"[A-Za-z0-9_+/=-]{8,}", "kas_", "whsec_", "hf_", "sk-"),
    _form(
        r"\b(?i:password|secret|api_?key)\b[\"']?\s*[=:]\s*[\"']?",
        r"[^\s\"',;}]+",
        *("assword", "ASSWORD", "ecret", "ECRET", "api", "API"),
    ),
    # pydantic quotes the value that it refuses, which may be a transcript's or a caller's; vLLM answers with such.
    _form(r"input_value=", r"(?s:.*?)(?=, input_type=)", "input_value="),
    _form(r"""["']input["']\s*:\s*""", r"(?s:.*)", "input"),
)
"""Each with texts of which one is in every text that it matches: looking for them costs less than the pattern."""

_ANY_HINT: Final = re.compile(
    "|".join(re.escape(hint) for hint in sorted({h for hints, _ in _FORMS for h in hints}))
)
_OURS: Final = frozenset({"timestamp", "level", "trace_id", "record", "attempt"})
"""Fields that every line gets from the log itself."""


@lru_cache(1_024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def secrets_in(settings: BaseModel, environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the values of all secrets among the settings, and of those that libraries read by themselves."""
    found = [*secret_values(settings), *(environment.get(name, "") for name in SECRET_VARIABLES)]
    return frozenset(each for each in found if len(each) >= SECRET_CHARACTERS)


class Redaction:
    """Removes secrets. ``secrets`` are values to be removed wherever they stand."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one may be a part of another. As JSON too, which escapes some characters.
        spellings = {spelling for each in secrets for spelling in (each, json.dumps(each)[1:-1])}
        self._secrets = sorted(spellings, key=len, reverse=True)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Redact the values of an event (a structlog processor, behind the one that writes exceptions as text)."""
        for name, value in event.items():
            if name not in _OURS:
                event[name] = self._value(name, value)
        return event

    def text(self, text: str) -> str:
        """Redact a text."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        if _ANY_HINT.search(text) is None:
            return text
        for hints, pattern in _FORMS:
            for hint in hints:
                if hint in text:
                    text = pattern.sub(rf"\g<kept>{REDACTED}", text)
                    break
        return text

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return REDACTED if _is_secret(name) else self.text(value)
        if isinstance(value, SecretStr) or (isinstance(value, bytes) and _is_secret(name)):
            return REDACTED
        if isinstance(value, Mapping):
            return {self.text(str(inner)): self._value(str(inner), content) for inner, content in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(name, each) for each in value]
        if isinstance(value, int | float | None):
            return value
        return self.text(str(value))


def secret_values(value: object) -> Iterator[str]:
    """Return every secret among settings, also the parts of one: of two keys with a space between, each is one."""
    # Imported late: commands that end at once redact by form alone.
    from schemas.settings import KafkaSettings
    from schemas.settings.tracing import TracingSettings, header_pairs

    if isinstance(value, SecretStr):
        yield value.get_secret_value()
        yield from value.get_secret_value().split()
    elif isinstance(value, KafkaSettings):
        # Every property of librdkafka is kept as a secret; the name of a user or of a protocol is none.
        yield from (each.get_secret_value() for name, each in value.properties.items() if is_secret_property(name))
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secret_values(getattr(value, name))
        if isinstance(value, TracingSettings) and value.headers is not None:
            # Decoded, as errors of the HTTP client repeat it; of "Bearer …" the token alone as well.
            for header in header_pairs(value.headers.get_secret_value()).values():
                yield header
                yield from header.split()[1:]
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from secret_values(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from secret_values(each)
