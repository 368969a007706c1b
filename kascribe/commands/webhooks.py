"""``kascribe webhooks``: try a receiver, and make a secret."""

import json
import secrets
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kascribe.console.terminal import notify, write
from schemas.errors import ConfigurationError, JobError, Reason, WebhookFailed, WebhookRefused
from schemas.kafka.reasons import REASON_TEXTS

if TYPE_CHECKING:
    from schemas.settings.webhooks import WebhooksSettings
    from schemas.webhooks.targets import Target

app: Final = typer.Typer(no_args_is_help=True)

EXAMPLE: Final = {"message": "a test of this webhook; no job is meant"}


@app.command("test")
def try_receiver(
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The receiver; otherwise that of the settings.")
    ] = None,
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="Whose URL and secret are used.")] = "default",
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON: url, status, seconds, ok, reason, message, remedy.")
    ] = False,
) -> None:
    """Send a signed example (webhook.test), and say what the receiver answered.

    Examples:
        $ kascribe webhooks test --url https://hooks.example/kascribe
    """
    from kascribe.configuration.reading import load

    row = _tried(url, tenant, load().settings.webhooks)
    if as_json:
        write(json.dumps(row, ensure_ascii=False))
    elif row["ok"]:
        notify(f"{row['url']} took the event: {row['status']} in {row['seconds']:.2f} s")
    else:
        answered = f" (status {row['status']}, {row['seconds']:.2f} s)" if row["status"] else ""
        notify(f"{row['message']}{answered}\n{row['remedy']}")
    if not row["ok"]:
        raise typer.Exit(1)


@app.command()
def secret() -> None:
    """Make a secret, for KASCRIBE_WEBHOOKS_SECRET and for the receiver. It is stored nowhere.

    Examples:
        $ kascribe webhooks secret
    """
    from schemas.webhooks.signing import NEW_SECRET_BYTES, new_secret

    write(new_secret(secrets.token_bytes(NEW_SECRET_BYTES)))


def _tried(url: str | None, tenant: str, settings: "WebhooksSettings") -> dict[str, Any]:
    """Return what came of an example, as one row. Raises ConfigurationError when there is no URL."""
    from schemas.webhooks.targets import target_of

    row: dict[str, Any] = {"url": url, "status": None, "seconds": None, "ok": False}
    try:
        target = target_of(url, tenant, settings)
        if target is None:
            raise ConfigurationError(
                "no webhook is set: name one with --url, or set KASCRIBE_WEBHOOKS_URL or url in "
                "[webhooks.tenants.NAME]"
            )
        row["url"] = target.url
        _send(target, settings, row)
    except JobError as error:
        return row | {"reason": error.reason.value, "message": error.message, "remedy": _remedy(error)}
    return row | {"ok": True, "reason": None, "message": None, "remedy": None}


def _send(target: "Target", settings: "WebhooksSettings", row: dict[str, Any]) -> None:
    """Send an example and note the answer in ``row``. Raises as ``Delivery.deliver`` does."""
    from consumers.notifier.delivery import Delivery, check_answer
    from schemas.clock import SystemClock
    from schemas.identity import random_id
    from schemas.webhooks.payloads import WebhookType, body

    clock = SystemClock()
    message = body(WebhookType.TEST, clock.now().isoformat(), EXAMPLE)
    answer = Delivery(settings, clock=clock).post(target, message_id=f"test_{random_id()}", body=message)
    row |= {"status": answer.status, "seconds": round(answer.seconds, 3)}
    check_answer(answer, target)


def _remedy(error: JobError) -> str:
    if isinstance(error, WebhookRefused):
        return (
            "See the receiver's log: 401 or 403 usually means that it has another secret, or verifies a body "
            "that it has parsed and written again; 404 and 405 that the path is wrong. 2xx takes an event."
        )
    if isinstance(error, WebhookFailed):
        return "Events for it are tried again for hours. See whether it listens there and answers in time."
    return REASON_TEXTS[Reason.WEBHOOK_NOT_ALLOWED].remedy
