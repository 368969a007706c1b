"""The wiring of the notifier's role."""

from consumers.notifier.delivery import Delivery
from consumers.notifier.metrics import NOTIFIER_METRICS, DeliveryMeter
from consumers.notifier.notify import NotifyStage
from consumers.runtime.monitoring.membership import KAFKA
from kascribe.metering.process import observe_process
from kascribe.process.health import RoleHealth, served
from kascribe.process.shutdown import ended_by_signals
from kascribe.wiring.consumer import run_stage
from schemas.clock import SystemClock
from schemas.errors import DESCRIPTORS, ConfigurationError
from schemas.kafka.topics import Topics
from schemas.roles import Role
from schemas.settings import Settings
from schemas.settings.webhooks import WebhooksSettings


def run_notifier(settings: Settings) -> None:
    """Run the production role. Blocks until SIGTERM; raises ConfigurationError when no secret is set."""
    webhooks = settings.webhooks
    _refuse_without_secret(webhooks)
    health, clock = RoleHealth(declared=NOTIFIER_METRICS), SystemClock()
    observe_process(health.metrics, Role.NOTIFIER, services=(KAFKA, DESCRIPTORS))
    delivery = Delivery(webhooks, clock=clock)
    with (
        ended_by_signals(limit_seconds=settings.runtime.drain_timeout_seconds) as shutdown,
        served(health, settings.server),
    ):
        topics = Topics(settings.kafka.topic_prefix)
        stage = NotifyStage(delivery, DeliveryMeter(health.metrics), topics=topics, settings=webhooks, clock=clock)
        run_stage(stage, with_own_delays(settings), health, shutdown)


def with_own_delays(settings: Settings) -> Settings:
    """Return the settings with the delays of webhooks as the runtime's: receivers may be away for hours."""
    runtime = settings.runtime.model_copy(update={"retry_delays_seconds": settings.webhooks.retry_delays_seconds})
    return settings.model_copy(update={"runtime": runtime})


def _refuse_without_secret(webhooks: WebhooksSettings) -> None:
    if webhooks.secret is None and not any(tenant.secret for tenant in webhooks.tenants.values()):
        raise ConfigurationError(
            "webhooks are signed, and no secret is set: set KASCRIBE_WEBHOOKS_SECRET to one that "
            "`kascribe webhooks secret` prints, or a secret for each tenant in [webhooks.tenants.NAME]"
        )
