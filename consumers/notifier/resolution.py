"""The addresses of a webhook's host, each of them checked: a connection goes to one of these and no other."""

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Final

from schemas.errors import WebhookFailed
from schemas.settings.webhooks import WebhooksSettings
from schemas.webhooks.addresses import WebhookAddress
from schemas.webhooks.targets import check_ip

ADDRESSES_LIMIT: Final = 3
"""Addresses of one host that one attempt tries."""

Resolve = Callable[[str, int], Sequence[str]]
"""From a host and a port to IP addresses, in the order in which to try them. Blocks; raises OSError."""


def resolved(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, as the system's resolver orders them. Blocks; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))


def checked_ips(address: WebhookAddress, settings: WebhooksSettings, resolve: Resolve) -> Sequence[str]:
    """Return the addresses to connect to, at least one. Blocks.

    Raises WebhookNotAllowed when events may not go to one of them, WebhookFailed when the name has none.
    """
    try:
        ips = resolve(address.host.rstrip("."), address.port)
    except (OSError, UnicodeError) as error:
        raise WebhookFailed(f"{address.host} has no address now: {error}; look at its name in DNS") from error
    if not ips:
        raise WebhookFailed(f"{address.host} has no address now; look at its name in DNS")
    for ip in ips:
        check_ip(ip_address(ip), settings)
    return ips[:ADDRESSES_LIMIT]
