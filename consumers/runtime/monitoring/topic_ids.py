"""The ids of topics, which distinguish logs of the same name. Polled from the broker off the owner thread.

A topic that is deleted and created again keeps its name and gets another id, and offsets of the old log mean
nothing in the new one. The client continues at its old offset when the new log has grown past it before the next
fetch, and reads the new log from the beginning otherwise; only the id tells both cases from an unchanged log.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final

import structlog
from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from consumers.kafka.admin import error_of
from consumers.runtime.execution.mailbox import Command
from consumers.runtime.monitoring.admin_watch import AdminWatch
from schemas.settings import KafkaSettings

INTERVAL_SECONDS: Final = 5.0
"""Between two Metadata requests; also how long a new log may be mistaken for the old one."""

REQUEST_SECONDS: Final = 5.0

_log: Final = structlog.get_logger(__name__)


class TopicIdWatch(AdminWatch):
    """Polls the ids of topics, and posts each result to the owner thread. Has a thread and a client of its own.

    If the broker does not answer, or its topics have no ids, nothing is posted: the runtime then relies on offsets
    alone.
    """

    def __init__(self, settings: KafkaSettings, *, role: str, post: Callable[[Command], None]) -> None:
        super().__init__(
            settings, client_role=f"{role}-logs", thread_name="topic-ids", interval_seconds=INTERVAL_SECONDS
        )
        self._post = post
        self._on_ids: Callable[[Mapping[str, str]], None] | None = None
        self._topics: list[str] = []

    def watch(self, topics: Collection[str], on_ids: Callable[[Mapping[str, str]], None]) -> None:
        """Poll these topics from now on; call ``on_ids`` with their ids on the owner thread, after each poll.

        From any thread; never blocks.
        """
        self._topics = list(topics)
        self._on_ids = on_ids
        self.refresh()

    def poll_once(self, client: AdminClient) -> bool:
        """Request the ids and post them. Blocks for a request; called on the watch's thread."""
        if self._on_ids and (ids := self._request_ids(client)):
            self._post(partial(self._on_ids, ids))
        return True  # a request for topics may time out in the client

    def _request_ids(self, client: AdminClient) -> dict[str, str]:
        ids: dict[str, str] = {}
        topics = TopicCollection(self._topics)
        for topic, response in client.describe_topics(topics, request_timeout=REQUEST_SECONDS).items():
            error = error_of(response, timeout_seconds=REQUEST_SECONDS)
            if error is None:
                ids[topic] = str(response.result().topic_id)
            else:
                # Also a topic that does not exist at the moment: the known id stays.
                _log.debug("topic id not available", topic=topic, error=error.str())
        return ids
