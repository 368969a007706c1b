"""Kafka's admin client on the reading side, for requests outside the consumer."""

import logging
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumers.kafka.client import client_configuration, make_client_id
from schemas.settings import KafkaSettings
from schemas.settings.client_refusals import kafka_refusal

_MEMBER_PROPERTIES: Final = frozenset({"group.instance.id", "max.poll.interval.ms", "session.timeout.ms"})
"""Properties of group members; any other client warns about them."""

COORDINATOR_REQUEST_SECONDS: Final = 3_600.0
"""Timeout, inside the client, of a request to a group's coordinator: the longest that the client accepts.

It must never run out. When one of these requests times out while its coordinator cannot be reached, librdkafka
(2.16) frees it, and frees it again when the coordinator returns, which ends the process: "Assertion
`eonce->refcnt > 0' failed". So the caller waits for as long as it wants to, and closes a client that still has
not answered: a client that is closed cancels what is open.
"""


def open_admin(settings: KafkaSettings, *, role: str) -> AdminClient:
    """Open an admin client. Poll it to have its log lines written.

    Connects later; raises ConfigurationError for invalid properties.
    """
    properties = client_configuration(settings, client_id=make_client_id(role))
    accepted = {name: value for name, value in properties.items() if name not in _MEMBER_PROPERTIES}
    try:
        return AdminClient(accepted, logger=logging.getLogger("kafka.admin"))
    except KafkaException as error:
        raise kafka_refusal(error.args[0].str(), settings) from error


def error_of(response: "Future[Any]", *, timeout_seconds: float) -> KafkaError | None:
    """Wait for a response and return its error; None if the request succeeded. Never raises."""
    try:
        # A future of the client may fail with a bare KafkaError, which no except clause catches.
        error = response.exception(timeout_seconds)
    except FutureTimeout:
        return KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001 - the client's public name for it
    reason = error.args[0] if isinstance(error, KafkaException) else error
    if reason is None or isinstance(reason, KafkaError):
        return reason
    return KafkaError(KafkaError._FAIL, str(reason))  # noqa: SLF001
