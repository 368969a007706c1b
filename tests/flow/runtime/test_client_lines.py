"""librdkafka's own messages reach the log that everything else reaches."""

from collections.abc import Callable
from typing import Final

import pytest

from producers.outbox import AtLeastOnceOutbox
from producers.publisher import Publisher
from producers.shared_publisher import SharedPublisher
from producers.topics import ensure_topics
from schemas.errors import ConfigurationError, NotDelivered
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings
from tests.support.waiting import eventually

UNREACHABLE: Final = KafkaSettings(bootstrap_servers="127.0.0.1:9")


def _publish() -> None:
    with Publisher(UNREACHABLE) as publisher, pytest.raises(NotDelivered):
        publisher.publish([OutgoingRecord("audio.references", b"k", b"v")], timeout_seconds=0.5)


def _request_topics() -> None:
    with pytest.raises(ConfigurationError):
        ensure_topics(UNREACHABLE, {"audio.references": 1}, timeout_seconds=0.5)


def _is_logged(caplog: pytest.LogCaptureFixture) -> bool:
    return any("127.0.0.1:9" in each.getMessage() for each in caplog.records if each.name == "kafka.producer")


@pytest.mark.parametrize("talk", [_publish, _request_topics], ids=["publisher", "topics"])
def test_a_broker_that_is_not_there_is_reported_in_the_log(
    talk: Callable[[], None], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The client's own lines come through logging, where they get a time and a level, and not to stderr."""
    talk()
    assert _is_logged(caplog)
    assert capfd.readouterr().err == ""


def test_a_producer_with_its_own_thread_logs_it_while_it_runs(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The outbox and the gateway's publisher are never closed while a broker is away."""
    outbox = AtLeastOnceOutbox(UNREACHABLE)
    eventually(lambda: _is_logged(caplog), timeout_seconds=30)
    outbox.close(timeout_seconds=0)
    caplog.clear()
    publisher = SharedPublisher(UNREACHABLE)
    eventually(lambda: _is_logged(caplog), timeout_seconds=30)
    publisher.close()
    assert capfd.readouterr().err == ""
