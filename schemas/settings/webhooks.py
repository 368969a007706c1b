"""The settings of webhooks."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator

from schemas.settings.types import Count, RetryDelay, Seconds, Section
from schemas.webhooks.addresses import WebhookUrl
from schemas.webhooks.signing import keys_of


class _Signing(Section):
    """Checks ``secret``. An error's text does not repeat it."""

    @field_validator("secret", check_fields=False)
    @classmethod
    def _has_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            keys_of(value.get_secret_value())
        return value


def _host_pattern(value: str) -> str:
    pattern = value.strip().rstrip(".").lower()
    if not pattern.removeprefix("*.") or any(character in pattern.removeprefix("*.") for character in "/@* ,"):
        raise ValueError("Input should be a host, as in hooks.example, or *.example for every host below it")
    return pattern.strip("[]")


def _network(value: str) -> str:
    try:
        return str(ip_network(value.strip()))
    except ValueError as error:
        raise ValueError(f"Input should be a network, as in 10.0.0.0/8 or fd00::/8: {error}") from None


HostPattern = Annotated[str, AfterValidator(_host_pattern)]
Network = Annotated[str, AfterValidator(_network)]


class TenantWebhooks(_Signing):
    """One tenant's target and secret; what is missing here is that of all."""

    url: WebhookUrl | None = None
    secret: SecretStr | None = None


class WebhooksSettings(_Signing):
    """Webhooks: which events are sent where, and how they are signed."""

    url: WebhookUrl | None = Field(
        default=None,
        description="Receives the events of jobs that name no URL; None: those are not sent.",
    )
    secret: SecretStr | None = Field(
        default=None,
        description="Signs them (`kascribe webhooks secret` makes one); two with a space between while receivers "
        "change from one to the other.",
    )
    tenants: dict[str, TenantWebhooks] = Field(
        default_factory=dict,
        description="`url`, and `secret` or `secret_file`, of a tenant: [webhooks.tenants.NAME] in the TOML file.",
    )
    allowed_hosts: tuple[HostPattern, ...] = Field(
        default=(), description="Hosts that may be told, as in hooks.example or *.example; empty: any public one."
    )
    http_hosts: tuple[HostPattern, ...] = Field(
        default=(), description="Hosts that may be told over http, without TLS."
    )
    allowed_networks: tuple[Network, ...] = Field(
        default=(),
        description="Networks that are not public and may be told all the same, as in 10.2.0.0/16: addresses of "
        "this machine, of private networks and of cloud metadata are refused otherwise.",
    )
    timeout_seconds: Seconds = Field(
        default=15.0, description="Limit of one delivery, from the connection to the end of the answer."
    )
    concurrency_limit: Count = Field(
        default=8, description="Deliveries to one host at once, in each process; more wait."
    )
    rest_seconds: Seconds = Field(
        default=30.0, description="How long a host that failed five times in a row is left alone."
    )
    tls_ca_file: Path | None = Field(
        default=None, description="File of the authorities to trust; None: the system's."
    )
    retry_delays_seconds: tuple[RetryDelay, ...] = Field(
        min_length=1,
        default=(10, 60, 600, 3_600, 14_400, 43_200),
        description="One retry topic each, between attempts to deliver; the notifier uses these instead of the "
        "runtime's.",
    )
