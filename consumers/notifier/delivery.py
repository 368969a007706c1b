"""One delivery: a signed POST to a checked address. The only place of webhooks that sends anything.

Redirects are not followed, proxies of the environment are not used, a connection carries one request, and of an
answer nothing but its status and ``Retry-After`` is kept.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx

from consumers.notifier.resolution import Resolve, checked_ips, resolved
from schemas.clock import Clock
from schemas.errors import ConfigurationError, WebhookFailed, WebhookNotAllowed, WebhookRefused
from schemas.settings.webhooks import WebhooksSettings
from schemas.webhooks.signing import signature
from schemas.webhooks.targets import Target

ANSWER_BYTES: Final = 16 * 1024
"""As much of an answer's body is read, and dropped: a receiver may want to finish its answer."""
LONGEST_REST_SECONDS: Final = 86_400.0
"""Limit of what ``Retry-After`` may ask for."""
LATER: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""The statuses of 400 to 499 that may pass by themselves."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered, and how long it took."""

    status: int
    seconds: float
    retry_after_seconds: float = 0.0


class Delivery:
    """Delivers messages. Thread-safe; blocks."""

    def __init__(self, settings: WebhooksSettings, *, clock: Clock, resolve: Resolve = resolved) -> None:
        """Raise ConfigurationError when the file of authorities cannot be used."""
        self._settings = settings
        self._clock = clock
        self._resolve = resolve
        self._trust = _trust(settings)

    def deliver(self, target: Target, *, message_id: str, body: bytes) -> Answer:
        """Deliver a message: return once the receiver has taken it. Safe to repeat: the id stays the same.

        Raises WebhookNotAllowed, WebhookRefused and WebhookFailed.
        """
        answer = self.post(target, message_id=message_id, body=body)
        check_answer(answer, target)
        return answer

    def post(self, target: Target, *, message_id: str, body: bytes) -> Answer:
        """Return the receiver's answer, whatever it is. Raises WebhookNotAllowed and WebhookFailed."""
        ips = checked_ips(target.address, self._settings, self._resolve)
        began = self._clock.monotonic()
        headers = self._headers(target, message_id, body)
        try:
            status, rest = asyncio.run(self._first_answer(target, ips, headers, body))
        except TimeoutError as error:
            raise WebhookFailed(
                f"{target.address.host} did not answer within {self._settings.timeout_seconds:g} s "
                "(KASCRIBE_WEBHOOKS_TIMEOUT_SECONDS)"
            ) from error
        except httpx.InvalidURL as error:
            raise WebhookNotAllowed(f"the webhook's URL cannot be used: {error}") from error
        except httpx.HTTPError as error:
            raise WebhookFailed(_problem(target, error)) from error
        return Answer(status, self._clock.monotonic() - began, _seconds(rest))

    def _headers(self, target: Target, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(self._clock.now().timestamp())
        return {
            "host": _host_header(target.url),
            "content-type": "application/json",
            "user-agent": "Kascribe",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(target.keys, message_id=message_id, timestamp=timestamp, body=body),
        }

    async def _first_answer(
        self, target: Target, ips: Sequence[str], headers: dict[str, str], body: bytes
    ) -> tuple[int, str]:
        """Return status and ``Retry-After`` from the first address that can be connected to."""
        seconds = self._settings.timeout_seconds
        async with (
            # httpx limits each step, and a receiver may make any number of steps.
            asyncio.timeout(seconds),
            httpx.AsyncClient(
                verify=self._trust, trust_env=False, follow_redirects=False, timeout=seconds
            ) as client,
        ):
            for ip in ips[:-1]:
                try:
                    async with asyncio.timeout(seconds / len(ips)):
                        return await _answer(client, target, ip, headers, body)
                except (httpx.ConnectError, TimeoutError):
                    continue
            return await _answer(client, target, ips[-1], headers, body)


async def _answer(
    client: httpx.AsyncClient, target: Target, ip: str, headers: dict[str, str], body: bytes
) -> tuple[int, str]:
    url = httpx.URL(target.url)
    if url.host != target.address.host:
        raise httpx.InvalidURL("its host can be read in two ways")
    request = client.build_request("POST", url.copy_with(host=ip), headers=headers, content=body)
    # The certificate has to be that of the name, although the connection is made to the address.
    request.extensions = {**request.extensions, "sni_hostname": target.address.host.rstrip(".")}
    response = await client.send(request, stream=True)
    try:
        read_bytes = 0
        async for piece in response.aiter_raw():
            read_bytes += len(piece)
            if read_bytes > ANSWER_BYTES:
                break
    finally:
        await response.aclose()
    return response.status_code, response.headers.get("retry-after", "")


def check_answer(answer: Answer, target: Target) -> None:
    """Raise WebhookRefused for an answer that will stay the same, WebhookFailed for any other failure."""
    status, host = answer.status, target.address.host
    if 200 <= status < 300:
        return
    if 400 <= status < 500 and status not in LATER:
        gone = ": it no longer wants events" if status == HTTPStatus.GONE else ""
        raise WebhookRefused(f"{host} answered {status}{gone}; a receiver takes an event by answering 2xx")
    if 300 <= status < 400:
        raise WebhookFailed(f"{host} answered {status}: redirects are not followed; name the address they lead to")
    raise WebhookFailed(f"{host} answered {status}", retry_after_seconds=answer.retry_after_seconds)


def _host_header(url: str) -> str:
    return url.split("://", 1)[1].split("/", 1)[0].split("?", 1)[0]


def _seconds(retry_after: str) -> float:
    """Return the seconds of a ``Retry-After``; 0 for a date, which only tells the receiver's clock."""
    return min(float(retry_after), LONGEST_REST_SECONDS) if retry_after.isdecimal() else 0.0


def _problem(target: Target, error: httpx.HTTPError) -> str:
    causes = (error.__cause__, error.__context__)
    if "CERTIFICATE_VERIFY_FAILED" in f"{error} {causes}":
        return f"the certificate of {target.address.host} is not trusted: {error} (KASCRIBE_WEBHOOKS_TLS_CA_FILE)"
    return f"{target.address.host} did not take the event: {str(error) or type(error).__name__}"


def _trust(settings: WebhooksSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.tls_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"KASCRIBE_WEBHOOKS_TLS_CA_FILE names {settings.tls_ca_file}, which cannot be used: {error}"
        ) from error
