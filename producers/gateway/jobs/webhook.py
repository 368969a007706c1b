"""The webhook of a job: the request's own URL, or that of the caller's key."""

from dataclasses import replace

from producers.gateway.access.caller import Caller
from producers.gateway.jobs.submission import JobSubmission
from schemas.settings.webhooks import WebhooksSettings
from schemas.webhooks.targets import checked_address


def with_webhook(submission: JobSubmission, caller: Caller, settings: WebhooksSettings) -> JobSubmission:
    """Return the submission with its webhook's URL, if it has one.

    Raises WebhookNotAllowed for a URL to which no event would be sent, as far as that needs no DNS.
    """
    url = submission.webhook_url or (caller.key.defaults.webhook_url if caller.key else None)
    if url is None:
        return submission
    checked_address(url, settings)
    return replace(submission, webhook_url=url)
