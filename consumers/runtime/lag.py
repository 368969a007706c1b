"""Lag that stays true while partitions are paused: the ends are asked from the broker, off the owner thread."""

import threading
from collections.abc import Callable
from typing import Final

import structlog
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from consumers.runtime import metrics as rows
from consumers.runtime.kafka import client_configuration, make_client_id
from consumers.runtime.metrics import Metrics
from consumers.runtime.observation import Snapshot
from schemas.delivery import Partition
from schemas.settings import KafkaSettings

LAG_SECONDS: Final = 5.0
"""Between two questions: one ListOffsets request per leader."""

REQUEST_SECONDS: Final = 5.0

_log: Final = structlog.get_logger(__name__)


class LagWatch:
    """Sets the lag gauge of every partition held, from a thread and with a client of its own.

    librdkafka stops asking for the ends of paused partitions, so what the consumer could say freezes just when
    somebody looks at it.
    """

    def __init__(
        self, settings: KafkaSettings, *, role: str, latest: Callable[[], Snapshot], metrics: Metrics
    ) -> None:
        self._configuration = client_configuration(settings, client_id=make_client_id(f"{role}-lag"))
        self._latest = latest
        self._gauge = metrics.gauge(rows.LAG)
        self._labelled: set[Partition] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)

    def start(self) -> None:
        """Returns at once; to be called once."""
        self._thread.start()

    def stop(self) -> None:
        """Does not wait for a request that is under way."""
        self._stopped.set()

    def _run(self) -> None:
        client = AdminClient(self._configuration)
        while not self._stopped.wait(LAG_SECONDS):
            try:
                self._measure(client)
            except (KafkaException, TimeoutError) as error:
                _log.debug("the lag could not be asked for", error=str(error))

    def _measure(self, client: AdminClient) -> None:
        views = self._latest().partitions
        asked = {TopicPartition(*key): OffsetSpec.latest() for key in views}  # type: ignore[no-untyped-call]
        answers = client.list_offsets(asked, request_timeout=REQUEST_SECONDS) if asked else {}
        for position, answer in answers.items():
            # What such a future fails with is a bare KafkaError, which no except clause catches: never raise it.
            if answer.exception(REQUEST_SECONDS) is not None:
                continue
            view = views[(position.topic, position.partition)]
            end = answer.result().offset
            committed = view.committed_offset
            gauge = self._gauge.labels(position.topic, position.partition)
            gauge.set(max(0, end - (committed if committed is not None else view.position_offset)))
        for key in self._labelled - views.keys():
            self._gauge.remove(*key)
        self._labelled = set(views)
