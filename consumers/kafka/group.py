"""A look at a consumer group from outside."""

from typing import Final

from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from consumers.kafka.admin import COORDINATOR_REQUEST_SECONDS, error_of, open_admin
from consumers.kafka.client import group_id
from schemas.settings import KafkaSettings

ANSWER_SECONDS: Final = 6.0
"""How long to wait for the group's members before the client is given up."""

_UNSUPPORTED: Final = frozenset({KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION})  # noqa: SLF001


class GroupProbe:
    """Asks the broker whether a role's consumer group has members. Opens a client of its own when first used."""

    def __init__(self, settings: KafkaSettings, *, role: str) -> None:
        self._settings = settings
        self._role = role
        self._group = group_id(settings, role)
        self._client: AdminClient | None = None

    def has_member(self) -> bool:
        """Return whether a process of the role is a member. Blocks for some seconds at most.

        True for a broker that cannot tell.
        """
        self._client = self._client or open_admin(self._settings, role=f"{self._role}-probe")
        response = self._client.describe_consumer_groups(
            [self._group], request_timeout=COORDINATOR_REQUEST_SECONDS
        )
        error = error_of(response[self._group], timeout_seconds=ANSWER_SECONDS)
        self._client.poll(0)  # passes on the client's own log lines
        if not response[self._group].done():
            self._client = None  # its end cancels the request, which must not time out in the client
        if error is not None:
            return error.code() in _UNSUPPORTED
        return bool(response[self._group].result().members)
