"""A thread that polls the broker with an admin client of its own."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from confluent_kafka.admin import AdminClient

from consumers.kafka.admin import open_admin
from consumers.runtime.monitoring.poller import Poller
from schemas.settings import KafkaSettings


class AdminWatch(ABC):
    """Base of watches that call ``poll_once`` every ``interval_seconds``. ``client_role`` names their client."""

    def __init__(
        self, settings: KafkaSettings, *, client_role: str, thread_name: str, interval_seconds: float
    ) -> None:
        self._settings = settings
        self._client_role = client_role
        self._interval_seconds = interval_seconds
        self._poller = Poller(thread_name, self._polls)

    def start(self) -> None:
        """Start the thread. Returns at once; call it once."""
        self._poller.start()

    def refresh(self) -> None:
        """Poll now instead of after the interval. From any thread; never blocks; safe to repeat."""
        self._poller.wake()

    def stop(self) -> None:
        """Stop polling. Does not wait for a request in progress."""
        self._poller.stop()

    @abstractmethod
    def poll_once(self, client: AdminClient) -> bool:
        """Send the requests and note the responses. Blocks; called on the watch's thread.

        Returns False if the client has to be replaced by a new one, as a request is still open.
        """

    def _polls(self) -> Iterator[float]:
        while True:
            with open_admin(self._settings, role=self._client_role) as client:
                while self._is_answered(client):
                    yield self._interval_seconds
            yield self._interval_seconds

    def _is_answered(self, client: AdminClient) -> bool:
        is_answered = self.poll_once(client)
        client.poll(0)  # passes on the client's own log lines
        return is_answered
