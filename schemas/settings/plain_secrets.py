"""Tokens and passwords that would be sent where they can be read on the way."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from schemas.settings import Settings
from schemas.settings.plain_database import told_hosts

_SENT_AS_THEY_ARE: Final = frozenset({"PLAIN", "OAUTHBEARER"})
"""SASL mechanisms that send the password or token itself; SCRAM and Kerberos prove that they know it."""

_NOTHING: Final[Mapping[str, str]] = {}


def is_this_machine(host: str) -> bool:
    """Return whether the name or address is of the loopback interface."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def is_plain_http(address: str) -> bool:
    """Return whether what is sent to this URL can be read on the way: http, and not to this machine."""
    parts = urlsplit(address)
    return parts.scheme.lower() == "http" and not is_this_machine(parts.hostname or "")


def exposed_to(address: str, secret: str, plaintext_hosts: Iterable[str]) -> str | None:
    """Return a sentence about a secret that would be sent to this URL in plain http; None where it may be."""
    host = urlsplit(address).hostname or ""
    if not is_plain_http(address) or _is_among(host, plaintext_hosts):
        return None
    return _refusal(secret, address, "https")


def exposed_secrets(settings: Settings, environment: Mapping[str, str] = _NOTHING) -> Iterator[str]:
    """Yield a sentence for each token or password that would be sent without TLS to a host that may not have it.

    The bucket's keys are not among them: they sign requests, and are not sent. ``environment`` has the variables
    of libpq.
    """
    endpoint = settings.tracing.endpoint_url
    addresses = {
        "KASCRIBE_VLLM_BASE_URL": (settings.vllm.base_url or "").split(","),
        "KASCRIBE_TRACING_ENDPOINT_URL": [endpoint] if endpoint else [],
    }
    with_headers = {
        "KASCRIBE_VLLM_BASE_URL": "KASCRIBE_VLLM_API_KEY" if settings.vllm.api_key else None,
        "KASCRIBE_TRACING_ENDPOINT_URL": "KASCRIBE_TRACING_HEADERS" if settings.tracing.headers else None,
    }
    for setting, named in addresses.items():
        for address in named:
            has_user = "@" in urlsplit(address).netloc
            secret = with_headers[setting] or (f"the password in {setting}" if has_user else None)
            if secret and _is_exposed(address, settings):
                yield _refusal(secret, address, "https")
    yield from _exposed_kafka(settings)
    yield from _exposed_database(settings, environment)


def _exposed_database(settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    url = settings.archive.url
    for host in told_hosts(url.get_secret_value() if url else "", environment):
        if not is_this_machine(host) and not _may_be_told(host, settings):
            yield (
                f"the password in KASCRIBE_ARCHIVE_URL may be sent to {host} without TLS: add "
                "sslmode=verify-full, sslmode=require or require_auth=scram-sha-256 to the address, as in "
                f"postgresql://user:password@host/database?sslmode=require, or name {host} in "
                "KASCRIBE_SECURITY_PLAINTEXT_HOSTS if the way to it is trusted"
            )


def _exposed_kafka(settings: Settings) -> Iterator[str]:
    properties = {name: value.get_secret_value() for name, value in settings.kafka.properties.items()}
    mechanism = properties.get("sasl.mechanism", properties.get("sasl.mechanisms", "GSSAPI")).upper()
    issuer = properties.get("sasl.oauthbearer.token.endpoint.url", "")
    if properties.get("sasl.oauthbearer.client.secret") and _is_exposed(issuer, settings):
        yield _refusal("sasl.oauthbearer.client.secret", issuer, "https")
    if properties.get("security.protocol", "").upper() != "SASL_PLAINTEXT" or mechanism not in _SENT_AS_THEY_ARE:
        return
    for broker in settings.kafka.bootstrap_servers.split(","):
        host = _host_of(broker)
        if not is_this_machine(host) and not _may_be_told(host, settings):
            secret = f"the {'token' if mechanism == 'OAUTHBEARER' else 'password'} of sasl.mechanism {mechanism}"
            yield _refusal(secret, broker.strip(), "security.protocol SASL_SSL")


def _host_of(broker: str) -> str:
    """Return the host of a broker's address, with or without a protocol; all of it where it is malformed."""
    address = broker.strip().rpartition("//")[2]
    try:
        return urlsplit(f"//{address}").hostname or address
    except ValueError:
        return address


def _is_exposed(address: str, settings: Settings) -> bool:
    return is_plain_http(address) and not _may_be_told(urlsplit(address).hostname or "", settings)


def _may_be_told(host: str, settings: Settings) -> bool:
    return _is_among(host, settings.security.plaintext_hosts)


def _is_among(host: str, patterns: Iterable[str]) -> bool:
    name = host.rstrip(".").lower()
    return any(
        name.endswith(pattern.removeprefix("*")) if pattern.startswith("*.") else name == pattern
        for pattern in patterns
    )


def _refusal(secret: str, address: str, remedy: str) -> str:
    scheme, slashes, rest = address.rpartition("//")
    host = _host_of(rest.rpartition("@")[2])
    where = f"{scheme}{slashes}{rest.rpartition('@')[2]}"
    return (
        f"{secret} would be sent to {where} without TLS: use {remedy}, or name {host} in "
        "KASCRIBE_SECURITY_PLAINTEXT_HOSTS if the way to it is trusted"
    )
