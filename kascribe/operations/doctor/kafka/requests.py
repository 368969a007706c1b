"""Requests of the doctor to the broker, with the client and the properties that the roles use."""

import logging
import re
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumers.kafka.client import client_configuration
from schemas.errors import DependencyDown
from schemas.settings import KafkaSettings
from schemas.settings.client_refusals import kafka_refusal

KAFKA: Final = "kafka"
REQUEST_SECONDS: Final = 8.0
"""For one answer of a broker: a healthy one takes milliseconds."""

CLIENT_ID: Final = "kascribe-doctor"

_MEMBER_PROPERTIES: Final = frozenset({"group.instance.id", "max.poll.interval.ms", "session.timeout.ms"})
_SUPPORTED: Final = re.compile(r"ApiKey (\w+) \((\d+)\) Versions (\d+)\.\.(\d+)")


class _Listener(logging.Handler):
    """Keeps what the client logs of the broker's protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, tuple[int, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Read one line."""
        for name, _, lowest, highest in _SUPPORTED.findall(record.getMessage()):
            self.versions[name] = (int(lowest), int(highest))


@dataclass
class Connection:
    """An admin client, with the errors that it met. One that listens also knows the broker's requests."""

    settings: KafkaSettings
    listens: bool = False
    errors: list[KafkaError] = field(default_factory=list)
    admin: AdminClient = field(init=False)
    _listener: _Listener = field(default_factory=_Listener)

    def __post_init__(self) -> None:
        """Connect later. Raises ConfigurationError for properties that the client refuses."""
        configured = client_configuration(self.settings, client_id=CLIENT_ID)
        accepted = {name: value for name, value in configured.items() if name not in _MEMBER_PROPERTIES}
        log = logging.getLogger(f"kafka.doctor.{id(self)}")
        log.propagate = False
        log.addHandler(self._listener)
        log.setLevel(logging.DEBUG)
        # The client logs the broker's list of requests under "feature", and has no other way to tell it.
        logged = {"debug": "feature", "log_level": 7} if self.listens else {"log_level": 0}
        try:
            properties: dict[str, Any] = {**accepted, "error_cb": self.errors.append, **logged}
            self.admin = AdminClient(properties, logger=log)
        except KafkaException as error:
            raise kafka_refusal(error.args[0].str(), self.settings) from error

    @property
    def versions(self) -> Mapping[str, tuple[int, int]]:
        """The requests that the broker knows, each with its lowest and highest version."""
        self.admin.poll(0)
        return self._listener.versions


def answers(
    futures: Mapping[Any, "Future[Any]"], *, timeout_seconds: float = REQUEST_SECONDS
) -> dict[Any, Any | KafkaError]:
    """Wait for the answers, all together; a request that failed gives its error."""
    found: dict[Any, Any | KafkaError] = {}
    for key, future in futures.items():
        try:
            found[key] = future.result(timeout_seconds)
        except FutureTimeout:
            found[key] = KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001 - the client's public name for it
        except KafkaException as error:
            found[key] = error.args[0]
        except KafkaError as error:  # type: ignore[misc]  # some futures fail with it bare
            found[key] = error
    return found


def is_silence(answer: object) -> bool:
    """Return whether an error means that there was no answer."""
    silent = (KafkaError._TIMED_OUT, KafkaError._TRANSPORT)  # noqa: SLF001
    return isinstance(answer, KafkaError) and answer.code() in silent


def refuse_silence(error: object, doing: str) -> None:
    """Raise DependencyDown for an error that means no answer."""
    if isinstance(error, KafkaError) and is_silence(error):
        raise DependencyDown(KAFKA, f"{doing}: {error.str()}")
