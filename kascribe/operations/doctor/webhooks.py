"""Whether webhooks can be signed and sent as the settings say."""

from collections.abc import Iterator

from kascribe.operations.doctor.findings import Finding, failed, ok, warning
from kascribe.operations.doctor.roles import has_webhook_secret
from schemas.settings.webhooks import WebhooksSettings


def check_webhooks(settings: WebhooksSettings) -> Iterator[Finding]:
    """Yield rows for the secret, the targets and the trusted authorities. Sends nothing."""
    if not has_webhook_secret(settings):
        remedy = "set KASCRIBE_WEBHOOKS_SECRET to one that `kascribe webhooks secret` prints"
        yield failed("secret", "none is set, so the notifier does not start", remedy)
    else:
        yield ok("secret", "set")
    yield _targets(settings)
    path = settings.tls_ca_file
    if path is not None and not path.is_file():
        remedy = "correct KASCRIBE_WEBHOOKS_TLS_CA_FILE, or remove it to trust the system's authorities"
        yield failed("authorities", f"{path} is no file", remedy)


def _targets(settings: WebhooksSettings) -> Finding:
    lone = [name for name, tenant in settings.tenants.items() if not (tenant.secret or settings.secret)]
    if lone:
        remedy = "give each of them a secret in [webhooks.tenants.NAME], or set KASCRIBE_WEBHOOKS_SECRET"
        return failed("targets", f"tenants without a secret: {', '.join(sorted(lone))}", remedy)
    if not settings.allowed_hosts:
        remedy = "name the hosts that may be told in KASCRIBE_WEBHOOKS_ALLOWED_HOSTS"
        return warning("targets", "a job may name any public host", remedy)
    return ok("targets", f"only {', '.join(settings.allowed_hosts)}")
