"""Which log stands behind a topic's name now: the topic's id, asked from the broker off the owner thread.

A topic that is deleted and created again keeps its name and gets another id, and offsets of the old log mean
nothing in the new one. The client goes on at its old offset when the new log has grown past that before its next
fetch, and reads the new log from the beginning otherwise; only the id tells both from a log that goes on.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import TimeoutError as NoAnswer
from functools import partial
from typing import Final

import structlog
from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from consumers.kafka.client import client_configuration, make_client_id, open_admin
from consumers.runtime.execution.mailbox import Command
from schemas.settings import KafkaSettings

LOG_SECONDS: Final = 5.0
"""Between two questions: one Metadata request. So long at most is a new log taken for the old one."""

REQUEST_SECONDS: Final = 5.0

_log: Final = structlog.get_logger(__name__)


class LogWatch:
    """Asks for the ids of topics from a thread and with a client of its own, and posts each answer to the owner.

    A broker that does not say, or topics without ids, mean no report: the runtime then goes by offsets alone.
    """

    def __init__(self, settings: KafkaSettings, *, role: str, post: Callable[[Command], None]) -> None:
        self._settings = settings
        self._configuration = client_configuration(settings, client_id=make_client_id(f"{role}-logs"))
        self._post = post
        self._found: Callable[[Mapping[str, str]], None] | None = None
        self._topics: list[str] = []
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def tell(self, found: Callable[[Mapping[str, str]], None]) -> None:
        """Have ``found`` called on the owner thread, after each question, with the topics' ids."""
        self._found = found

    def watch(self, topics: Collection[str]) -> None:
        """Ask about these topics from now on, at once. From any thread; never blocks."""
        self._topics = list(topics)
        self.ask()

    def ask(self) -> None:
        """Ask again without waiting for the interval. From any thread; never blocks; safe to repeat."""
        self._wake.set()

    def start(self) -> None:
        """Return at once; to be called once."""
        self._thread.start()

    def stop(self) -> None:
        """Do not wait for a request that is under way."""
        self._stopped = True
        self._wake.set()

    def _run(self) -> None:
        client = open_admin(self._settings, self._configuration)
        while not self._stopped:
            self._wake.clear()
            if self._found and (ids := self._ask(client)):
                self._post(partial(self._found, ids))
            client.poll(0)  # lets out the client's own log lines
            self._wake.wait(LOG_SECONDS)

    def _ask(self, client: AdminClient) -> dict[str, str]:
        ids: dict[str, str] = {}
        if not self._topics:
            return ids
        answers = client.describe_topics(TopicCollection(self._topics), request_timeout=REQUEST_SECONDS)
        for topic, answer in answers.items():
            try:
                # What such a future fails with may be a bare KafkaError, which no except clause catches.
                error = answer.exception(REQUEST_SECONDS)
            except NoAnswer as late:
                error = late
            if error is None:
                ids[topic] = str(answer.result().topic_id)
            else:
                # Also a topic that does not exist just now: what is known of it stays.
                _log.debug("the broker does not say which log this is", topic=topic, error=str(error))
        return ids
