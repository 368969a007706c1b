"""Types of the settings' values, and the base of their sections."""

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.kafka.topics import RETRY_INFIX

TOPIC_PREFIX_CHARACTERS: Final = 200
"""A topic name has 249 characters at most, and Kascribe adds up to 38 to the prefix."""

_NOT_IN_TOPICS: Final = re.compile(r"[^A-Za-z0-9._-]")


def _http_address(value: str) -> str:
    address = value.strip().rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise ValueError("Input should start with http:// or https://")
    if not _has_a_host(address):
        raise ValueError("Input should name a host, and a port from 1 to 65535 if any: http://host:9000")
    return address


def _has_a_host(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port, or brackets around an invalid IPv6 address
        return False


def _server_addresses(value: str) -> str:
    # Users paste the address for OpenAI clients, which ends in /v1.
    addresses = (_http_address(each).removesuffix("/v1") for each in value.split(",") if each.strip())
    return ",".join(addresses)


def _folder(value: str) -> str:
    # With one slash at its end, so that "results" does not include "results-2026/"; without a leading one: stores
    # drop it from keys, and their notifications would then not match the prefix.
    parts = value.strip().strip("/").split("/")
    if not all(part.strip(".") for part in parts) or any(ord(character) < 32 for character in value):
        raise ValueError("Input should be the name of a folder in the bucket, as in results/")
    return "/".join(parts) + "/"


def _bucket_name(value: str) -> str:
    name = value.strip()
    if not name or "/" in name or ":" in name:
        raise ValueError("Input should be a bucket's name alone, as in audio, not an address")
    return name


def _topic_prefix(value: str) -> str:
    prefix = value.strip()
    if _NOT_IN_TOPICS.search(prefix) or len(prefix) > TOPIC_PREFIX_CHARACTERS:
        raise ValueError(
            f"Input should be at most {TOPIC_PREFIX_CHARACTERS} letters, digits, dots, hyphens and underscores"
        )
    if RETRY_INFIX in prefix:
        raise ValueError(f"Input should be without {RETRY_INFIX}, by which retry topics are known")
    return prefix


def _host_name(value: str) -> str:
    name = value.strip().strip("[]").rstrip(".").lower()
    if not name or any(character in name for character in "/@*, ") or name.count(":") == 1:
        raise ValueError("Input should be a host's name without scheme and port, as in asr.example")
    return name


def _origin(value: str) -> str:
    address = _http_address(value).lower()
    if urlsplit(address)[2:] != ("", "", ""):
        raise ValueError("Input should be an origin: scheme, host and port if any, as in https://app.example")
    return address


HttpAddress = Annotated[str, AfterValidator(_http_address)]
ServerAddresses = Annotated[str, AfterValidator(_server_addresses)]
Folder = Annotated[str, AfterValidator(_folder)]
BucketName = Annotated[str, AfterValidator(_bucket_name)]
HostName = Annotated[str, AfterValidator(_host_name)]
Origin = Annotated[str, AfterValidator(_origin)]
TopicPrefix = Annotated[str, AfterValidator(_topic_prefix)]
ModelAlias = Annotated[str, Field(pattern=r"^[^\s,=]+(=[^\s,=]+)?$")]
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0)]
RetryDelay = Annotated[int, Field(ge=1)]
ByteCount = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """Base of the sections: frozen; an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
