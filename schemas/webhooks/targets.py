"""Whether events may be sent to an address. What needs DNS is asked again of every address that it gives."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from schemas.errors import WebhookNotAllowed
from schemas.settings.webhooks import WebhooksSettings
from schemas.webhooks.addresses import WebhookAddress, address_of
from schemas.webhooks.signing import keys_of

IPAddress = IPv4Address | IPv6Address

LOCAL_NAMES: Final = ("localhost", "*.localhost")
_NOT_PUBLIC_IPV4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
"""IANA's special-purpose addresses, and that of Azure's service about its machines, which looks public."""

_PUBLIC_IPV6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_IPV6: Final = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
"""Within it: Teredo and other protocols, 6to4, documentation. Mapped addresses and NAT64 lie outside of it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the events of a job go, and the keys that sign them."""

    url: str
    address: WebhookAddress
    keys: tuple[bytes, ...]


def target_of(webhook_url: str | None, tenant: str, settings: WebhooksSettings) -> Target | None:
    """Return the target of a job; None without one. Raises WebhookNotAllowed, as far as that needs no DNS."""
    own = settings.tenants.get(tenant)
    url = webhook_url or (own and own.url) or settings.url
    if url is None:
        return None
    secret = (own and own.secret) or settings.secret
    if secret is None:
        raise WebhookNotAllowed(
            f"no secret signs the webhooks of tenant {tenant[:64]!r}: set KASCRIBE_WEBHOOKS_SECRET, or secret in "
            "[webhooks.tenants.NAME] (`kascribe webhooks secret` makes one)"
        )
    return Target(url, checked_address(url, settings), keys_of(secret.get_secret_value()))


def checked_address(url: str, settings: WebhooksSettings) -> WebhookAddress:
    """Return the parts of a URL that may be told. Raises WebhookNotAllowed, as far as that needs no DNS."""
    try:
        address = address_of(url)
    except ValueError as error:
        raise WebhookNotAllowed(str(error)) from error
    host = address.host.rstrip(".")
    if address.scheme == "http" and not _matches(host, settings.http_hosts):
        raise WebhookNotAllowed(
            f"webhooks go to https addresses, and {host} is told over http: use https, or list the host in "
            "KASCRIBE_WEBHOOKS_HTTP_HOSTS"
        )
    if settings.allowed_hosts and not _matches(host, settings.allowed_hosts):
        raise WebhookNotAllowed(f"{host} is not among the hosts of KASCRIBE_WEBHOOKS_ALLOWED_HOSTS")
    if (literal := _literal(host)) is not None:
        check_ip(literal, settings)
    return address


def check_ip(ip: IPAddress, settings: WebhooksSettings) -> None:
    """Raise WebhookNotAllowed for an address that is not public, unless its network is listed."""
    if any(ip in ip_network(network) for network in settings.allowed_networks):
        return
    if not is_public(ip):
        raise WebhookNotAllowed(
            f"{ip} is no public address: list its network in "
            "KASCRIBE_WEBHOOKS_ALLOWED_NETWORKS if webhooks may go there"
        )


def is_public(ip: IPAddress) -> bool:
    """Return whether an address belongs to the public internet, by its number alone. Not left to ``ipaddress``,
    whose ``is_global`` differs between releases of Python."""
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_IPV4)
    return ip in _PUBLIC_IPV6 and not any(ip in network for network in _NOT_PUBLIC_IPV6)


def _literal(host: str) -> IPAddress | None:
    """Return the address that a host is by its spelling; None for a name."""
    if _matches(host, LOCAL_NAMES):
        return ip_address("127.0.0.1")
    try:
        return ip_address(host)
    except ValueError:
        last = host.rsplit(".", 1)[-1]
        if last.isdigit() or last.startswith("0x"):  # 127.1, 0x7f.1: resolvers read them as addresses
            raise WebhookNotAllowed(
                f"{host} is no host: write an IP address as four numbers, as in 192.0.2.7"
            ) from None
        return None


def _matches(host: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(host, pattern) for pattern in patterns)
