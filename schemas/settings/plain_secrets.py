"""Tokens and passwords that would be sent where they can be read on the way."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from schemas.settings import Settings

_SENT_AS_THEY_ARE: Final = frozenset({"PLAIN", "OAUTHBEARER"})
"""SASL mechanisms that send the password or token itself; SCRAM and Kerberos prove that they know it."""


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


def exposed_secrets(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each token or password that would be sent without TLS to a host that may not have it.

    The bucket's keys are not among them: they sign requests, and are not sent.
    """
    for address in (settings.vllm.base_url or "").split(",") if settings.vllm.api_key else ():
        if _is_exposed(address, settings):
            yield _refusal("KASCRIBE_VLLM_API_KEY", address, "https")
    endpoint = settings.tracing.endpoint_url
    if settings.tracing.headers and endpoint and _is_exposed(endpoint, settings):
        yield _refusal("KASCRIBE_TRACING_HEADERS", endpoint, "https")
    yield from _exposed_kafka(settings)


def _exposed_kafka(settings: Settings) -> Iterator[str]:
    properties = {name: value.get_secret_value() for name, value in settings.kafka.properties.items()}
    mechanism = properties.get("sasl.mechanism", properties.get("sasl.mechanisms", "GSSAPI")).upper()
    if properties.get("security.protocol", "").upper() != "SASL_PLAINTEXT" or mechanism not in _SENT_AS_THEY_ARE:
        return
    for broker in settings.kafka.bootstrap_servers.split(","):
        host = urlsplit(f"//{broker.strip()}").hostname or ""
        if not is_this_machine(host) and not _may_be_told(host, settings):
            secret = f"the {'token' if mechanism == 'OAUTHBEARER' else 'password'} of sasl.mechanism {mechanism}"
            yield _refusal(secret, broker.strip(), "security.protocol SASL_SSL")


def _is_exposed(address: str, settings: Settings) -> bool:
    return is_plain_http(address) and not _may_be_told(urlsplit(address).hostname or "", settings)


def _may_be_told(host: str, settings: Settings) -> bool:
    name = host.rstrip(".").lower()
    return any(
        name.endswith(pattern.removeprefix("*")) if pattern.startswith("*.") else name == pattern
        for pattern in settings.security.plaintext_hosts
    )


def _refusal(secret: str, address: str, remedy: str) -> str:
    parts = urlsplit(address if "//" in address else f"//{address}")
    where = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().removeprefix("//")
    return (
        f"{secret} would be sent to {where} without TLS: use {remedy}, or name {parts.hostname} in "
        "KASCRIBE_SECURITY_PLAINTEXT_HOSTS if the way to it is trusted"
    )
