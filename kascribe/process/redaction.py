"""Removal of secrets from log lines: by their names, by their form, and the process's own by their values."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from structlog.typing import EventDict, WrappedLogger

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
_FORMS: Final = (
    # User and password in an address; the query of an address, which presigned addresses and webhooks sign in.
    (re.compile(r"(?i)(?P<kept>[a-z][a-z0-9+.-]*://)[^/\s:@\"']+:[^/\s@\"']+@"), rf"\g<kept>{REDACTED}@"),
    (re.compile(r"(?i)(?P<kept>https?://[^\s?\"'<>]+\?)[^\s\"'<>]+"), rf"\g<kept>{REDACTED}"),
    # Signed parameters of an address without its host, as urllib3 and botocore write it.
    (
        re.compile(
            r"(?i)(?P<kept>[?&](?:x-amz-[a-z-]+|awsaccesskeyid|signature|sig|access_token|token|api_key)=)"
            r"[^&\s\"']+"
        ),
        rf"\g<kept>{REDACTED}",
    ),
    # pydantic quotes the value that it refuses, which may be a transcript's or a caller's.
    (re.compile(r"(?s)(?P<kept>input_value=).*?(?=, input_type=)"), rf"\g<kept>{REDACTED}"),
    (re.compile(r"""(?s)(?P<kept>["']input["']\s*:\s*).*"""), rf"\g<kept>{REDACTED}"),
    (re.compile(r"(?i)(?P<kept>\b(?:bearer|basic) )[a-z0-9._~+/=-]{6,}"), rf"\g<kept>{REDACTED}"),
    (re.compile(r"(?P<kept>\b(?:kas_|whsec_|hf_|sk-))[A-Za-z0-9_+/=-]{8,}"), rf"\g<kept>{REDACTED}"),
    (
        re.compile(
            r"(?i)(?P<kept>\b(?:password|sasl\.password|secret|api_?key)\b[\"']?\s*[=:]\s*[\"']?)[^\s\"',;}]+"
        ),
        rf"\g<kept>{REDACTED}",
    ),
)
_HINTS: Final = (
    "input",
    "://",
    "=",
    "earer ",
    "asic ",
    "kas_",
    "whsec_",
    "hf_",
    "sk-",
    "assword",
    "ecret",
    "PASSWORD",
    "SECRET",
)


def secrets_in(settings: BaseModel, environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the values of all secrets among the settings, and of those that libraries read by themselves."""
    found = [*_secrets(settings), *(environment.get(name, "") for name in SECRET_VARIABLES)]
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
            event[name] = self._value(name, value)
        return event

    def text(self, text: str) -> str:
        """Redact a text."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        if any(hint in text for hint in _HINTS):
            for form, replacement in _FORMS:
                text = form.sub(replacement, text)
        return text

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return REDACTED if _SECRET_NAME.search(name) else self.text(value)
        if isinstance(value, SecretStr) or (isinstance(value, bytes) and _SECRET_NAME.search(name)):
            return REDACTED
        if isinstance(value, Mapping):
            return {self.text(str(inner)): self._value(str(inner), content) for inner, content in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(name, each) for each in value]
        if isinstance(value, int | float | None):
            return value
        return self.text(str(value))


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _secrets(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _secrets(each)
