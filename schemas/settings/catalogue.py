"""Catalogue of all settings and their names, shared by the code that reads, prints and documents them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from schemas.settings import Settings

ENVIRONMENT_PREFIX: Final = "KASCRIBE_"
PROPERTY_PREFIX: Final = "KASCRIBE_KAFKA_"
HIDDEN: Final = "****"
_CREDENTIALS_IN_ADDRESS: Final = re.compile(r"(?<=://)[^/@\s,]+(?=@)")
_UNITS: Final = frozenset(
    {
        "attempts",
        "bytes",
        "characters",
        "files",
        "lines",
        "partitions",
        "processes",
        "records",
        "replicas",
        "seconds",
        "spans",
        "threads",
        "tokens",
    }
)
_UNITS_OF_OTHER_NAMES: Final = {
    "batch_size": "windows",
    "characters_per_second": "characters a second",
    "client_connection_limit": "connections",
    "concurrency_limit": "requests",
    "concurrent_upload_limit": "uploads",
    "connection_limit": "connections",
    "device_index": "index",
    "port": "port number",
    "request_limit": "requests",
    "sample_ratio": "share of 1",
    "stream_limit": "streams",
    "topic_replication": "replicas",
    "upload_rate_bytes_per_second": "bytes a second",
    "wide_characters_per_second": "characters a second",
}
"""Units of settings with established names that do not end with their unit."""

_KINDS: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "integer",
    float: "number",
    Path: "path",
    SecretStr: "secret",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. ``key`` is its TOML name with its table: ``whisper.device``."""

    section: str
    name: str
    field: FieldInfo

    @property
    def key(self) -> str:
        """Table and name, as in a TOML file and on the command line."""
        return f"{self.section}.{self.name}"

    @property
    def environment_name(self) -> str:
        """The name in the environment and in a ``.env`` file."""
        return f"{ENVIRONMENT_PREFIX}{self.section}_{self.name}".upper()

    @property
    def annotation(self) -> Any:
        """The type without ``| None``."""
        annotation = self.field.annotation
        if get_origin(annotation) in (Union, UnionType):
            return next(kind for kind in get_args(annotation) if kind is not type(None))
        return annotation

    @property
    def is_secret(self) -> bool:
        """Whether its value must never be shown. It can be read from a file: see the ``_FILE`` names."""
        return self.annotation is SecretStr

    @property
    def is_list(self) -> bool:
        """Whether text is split at its commas."""
        return get_origin(self.annotation) is tuple

    @property
    def is_table(self) -> bool:
        """Whether it is a table with names that Kascribe does not define: the librdkafka properties."""
        return get_origin(self.annotation) is dict

    @property
    def unit(self) -> str:
        """The unit of a number: usually the last word of the name; empty for other kinds."""
        last_word = self.name.rsplit("_", 1)[-1]
        return last_word if last_word in _UNITS else _UNITS_OF_OTHER_NAMES.get(self.name, "")

    @property
    def kind(self) -> str:
        """The kind of value, in words."""
        if get_origin(self.annotation) is Literal:
            return " or ".join(f"`{choice}`" for choice in get_args(self.annotation))
        if self.is_list:
            return "list"
        if self.is_table:
            return "table"
        return _KINDS.get(self.annotation, "text")

    @property
    def default(self) -> Any:
        """The default value."""
        return self.field.get_default(call_default_factory=True)

    @property
    def meaning(self) -> str:
        """The description, one phrase."""
        return self.field.description or ""


@cache
def settings() -> tuple[Setting, ...]:
    """Return all settings, in the order of ``schemas/settings.py``."""
    return tuple(_settings())


@cache
def by_environment_name() -> dict[str, Setting]:
    """Map environment names to settings, without tables, which have no single name."""
    return {setting.environment_name: setting for setting in settings() if not setting.is_table}


@cache
def by_key() -> dict[str, Setting]:
    """Map ``section.name`` to settings."""
    return {setting.key: setting for setting in settings()}


def property_environment_name(name: str) -> str:
    """Return the environment name of a librdkafka property, such as ``KASCRIBE_KAFKA_SASL_USERNAME``."""
    return PROPERTY_PREFIX + name.upper().replace(".", "_")


def without_credentials(text: str) -> str:
    """Mask the credentials in addresses: the text before each ``@``."""
    return _CREDENTIALS_IN_ADDRESS.sub(HIDDEN, text)


def section_meanings() -> dict[str, str]:
    """Return the description of each section, one phrase each."""
    return {name: (_section(field).__doc__ or "").strip() for name, field in Settings.model_fields.items()}


def _settings() -> Iterator[Setting]:
    for section, section_field in Settings.model_fields.items():
        for name, field in _section(section_field).model_fields.items():
            if field.default is PydanticUndefined and field.default_factory is None:
                raise TypeError(f"{section}.{name} has no default; every setting needs one")
            yield Setting(section, name, field)


def _section(field: FieldInfo) -> type[BaseModel]:
    section = field.annotation
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        raise TypeError(f"{section!r} is not a section of the settings")
    return section
