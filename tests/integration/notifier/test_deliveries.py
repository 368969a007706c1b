"""Webhooks on a real Kafka: a receiver that is down for a while, and a notifier that is killed meanwhile."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.contract.notifier.webhook_receiver import SECRET, Receiver, receiving
from tests.flow.events.notifier.deliveries import TOPICS, publish, transcript
from tests.integration.stack import PrivateStack
from tests.support.waiting import eventually

EVENTS: Final = 120
SECONDS: Final = 90.0


@contextmanager
def _notifier(stack: PrivateStack, prefix: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``kascribe run notifier``; kill it at the end of the block at the latest."""
    settings = {
        "KASCRIBE_KAFKA_TOPIC_PREFIX": prefix,
        "KASCRIBE_KAFKA_GROUP_ID_PREFIX": prefix,
        "KASCRIBE_KAFKA_TOPIC_PARTITIONS": "3",
        "KASCRIBE_KAFKA_GROUP_PROTOCOL": "classic",
        "KASCRIBE_KAFKA_SESSION_TIMEOUT_MS": "6000",
        "KASCRIBE_WEBHOOKS_SECRET": SECRET,
        "KASCRIBE_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8",
        "KASCRIBE_WEBHOOKS_HTTP_HOSTS": "127.0.0.1",
        "KASCRIBE_WEBHOOKS_REST_SECONDS": "0.5",
        "KASCRIBE_WEBHOOKS_RETRY_DELAYS_SECONDS": ",".join(["1"] * 60),
        "KASCRIBE_SERVER_PORT": "0",
    }
    environment = {**os.environ, **stack.environment, **settings}
    process = subprocess.Popen([sys.executable, "-m", "kascribe", "run", "notifier"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def test_every_event_arrives_verified_although_receiver_and_notifier_were_away(stack: PrivateStack) -> None:
    """After deduplication by webhook-id each is there once; none was sent unverified."""
    prefix = stack.new_topics(*TOPICS.answers, TOPICS.webhooks, partitions=3)
    receiver = Receiver(status=503)
    with receiving(receiver) as first:
        port, url = first.port, f"http://127.0.0.1:{first.port}/"
        with _notifier(stack, prefix) as killed:
            publish(stack.bootstrap_servers, *(transcript(number, url) for number in range(EVENTS)), prefix=prefix)
            eventually(lambda: len(receiver.requests) > 10, timeout_seconds=SECONDS, what="refused deliveries")
            killed.send_signal(signal.SIGKILL)
    with _notifier(stack, prefix), receiving(Receiver(), port=port) as back:
        eventually(lambda: len(back.events) == EVENTS, timeout_seconds=SECONDS, what="every event")
        assert back.unverified == []
    ids = {message["data"]["event_id"] for message in back.events.values()}
    assert len(ids) == EVENTS
