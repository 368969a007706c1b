"""The broker inside librdkafka, which speaks the real protocol and has no files: its topics end with the process.

It keeps at most 5 MiB or 100,000 records per partition and has no transaction isolation (librdkafka 2.16), so it
serves one machine and at-least-once delivery only.
"""

from types import TracebackType
from typing import Final, Self

from confluent_kafka import Producer

START_TIMEOUT_SECONDS: Final = 10.0


class EmbeddedBroker:
    """Runs from construction until ``close``; listens on a free port of 127.0.0.1, for any process."""

    def __init__(self) -> None:
        # The client that configures the mock cluster owns it; other clients only connect to its port.
        self._owner: Producer | None = Producer({"test.mock.num.brokers": 1, "log_level": 3})
        brokers = self._owner.list_topics(timeout=START_TIMEOUT_SECONDS).brokers
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers.values())

    def create_topics(self, names: tuple[str, ...]) -> None:
        """Create topics (four partitions each): this broker creates a topic when its metadata is requested."""
        if self._owner is not None:
            for name in names:
                self._owner.list_topics(name, timeout=START_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Stop the broker and drop every topic. Safe to repeat."""
        self._owner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
