"""Which roles are examined: those that were named, or those that the settings are made for."""

from collections.abc import Sequence
from typing import Final

from kascribe.operations.doctor.findings import Finding, skipped
from kascribe.operations.doctor.needs import RECONCILER, ROLES
from schemas.roles import Role
from schemas.settings import Settings
from schemas.settings.webhooks import WebhooksSettings

_ALWAYS: Final = (Role.TRANSCRIBER.value, Role.GATEWAY.value, RECONCILER)

_REASONS: Final = {
    Role.ENRICHER.value: "no language model server is set (KASCRIBE_VLLM_BASE_URL)",
    Role.ARCHIVE.value: "no database is set (KASCRIBE_ARCHIVE_URL)",
    Role.NOTIFIER.value: "no secret for webhooks is set (KASCRIBE_WEBHOOKS_SECRET)",
}


def examined_roles(named: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """Return the roles to examine, in a fixed order. Without names: those that the settings configure."""
    if named:
        return tuple(role for role in ROLES if role in named)
    configured = {
        *_ALWAYS,
        *((Role.ENRICHER.value,) if settings.vllm.base_url else ()),
        *((Role.ARCHIVE.value,) if settings.archive.url else ()),
        *((Role.NOTIFIER.value,) if has_webhook_secret(settings.webhooks) else ()),
    }
    return tuple(role for role in ROLES if role in configured)


def unconfigured(role: str) -> Finding:
    """Return the row of a role that is not examined, with the setting that it would need."""
    return skipped(role, _REASONS[role])


def has_webhook_secret(webhooks: WebhooksSettings) -> bool:
    """Return whether the notifier could sign anything."""
    return webhooks.secret is not None or any(tenant.secret for tenant in webhooks.tenants.values())
