"""What the flow tests of the notifier share: events of jobs, the stage, and a broker with its topics."""

from datetime import UTC, datetime
from typing import Any, Final

from confluent_kafka import Producer
from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.notifier.delivery import Delivery
from consumers.notifier.metrics import NOTIFIER_METRICS, DeliveryMeter
from consumers.notifier.notify import NotifyStage
from kascribe.documents.event_examples import EXAMPLES
from kascribe.wiring.notifier import with_own_delays
from schemas.clock import SystemClock
from schemas.events import JobEvent, Phase, ProgressEvent, TranscriptEvent
from schemas.kafka.topics import Topics, dead_letter_topic, retry_topic
from schemas.kafka.trace import Trace
from schemas.kafka.wire import encode
from schemas.settings import Settings
from schemas.settings.webhooks import WebhooksSettings
from tests.contract.notifier.webhook_receiver import SECRET
from tests.flow.mock_cluster import MockCluster
from tests.flow.running import settings_for

TOPICS: Final = Topics()
RETRY_DELAYS_SECONDS: Final = (1, 2) * 10
NOW: Final = datetime(2026, 11, 22, 9, tzinfo=UTC)


def webhooks(**fields: Any) -> WebhooksSettings:
    """Return settings that allow receivers on loopback over http."""
    given = {
        "secret": SECRET,
        "allowed_networks": ("127.0.0.0/8",),
        "http_hosts": ("127.0.0.1",),
        "timeout_seconds": 5.0,
        "rest_seconds": 0.5,
        "retry_delays_seconds": RETRY_DELAYS_SECONDS,
    }
    return WebhooksSettings.model_validate({**given, **fields})


def create_topics(broker: MockCluster) -> None:
    """Create the topics that the stage reads and writes."""
    for topic in (*TOPICS.answers, TOPICS.webhooks, dead_letter_topic(TOPICS.webhooks)):
        broker.create_topic(topic)
    for delay in sorted(set(RETRY_DELAYS_SECONDS)):
        broker.create_topic(retry_topic(TOPICS.webhooks, delay))


def notifier(broker: MockCluster, settings: WebhooksSettings) -> tuple[NotifyStage, Settings]:
    """Return the stage, and the settings to run it with."""
    metrics = Metrics(CollectorRegistry(), NOTIFIER_METRICS)
    clock = SystemClock()
    stage = NotifyStage(
        Delivery(settings, clock=clock), DeliveryMeter(metrics), topics=TOPICS, settings=settings, clock=clock
    )
    own = settings_for(broker.bootstrap_servers).model_copy(update={"webhooks": settings})
    return stage, with_own_delays(own)


def transcript(number: int, url: str | None, **fields: Any) -> TranscriptEvent:
    """Return the event of a transcript."""
    own = {"event_id": f"{number:032x}.transcript", "job_id": f"{number:032x}", "occurred_at": NOW}
    example = {name: value for name, value in EXAMPLES[TranscriptEvent].items() if name != "webhook_url"}
    return TranscriptEvent.model_validate({**example, **own, "webhook_url": url, **fields})


def progress(number: int, url: str | None, phase: Phase) -> ProgressEvent:
    """Return an event about a phase of a job."""
    job_id = f"{number:032x}"
    return ProgressEvent(
        event_id=f"{job_id}.transcriber.{phase}.0",
        occurred_at=NOW,
        job_id=job_id,
        phase=phase,
        stage="transcriber",
        webhook_url=url,
    )


def publish(bootstrap_servers: str, *events: JobEvent, prefix: str = "") -> None:
    """Publish events, each on the topic of its kind."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    topics = Topics(prefix)
    for event in events:
        topic = topics.transcripts if isinstance(event, TranscriptEvent) else topics.progress
        record = encode(event, topic=topic, key=event.job_id, trace=Trace.start())
        headers: list[tuple[str, str | bytes | None]] = list(record.headers)
        producer.produce(topic, record.value, record.key, headers=headers)
    assert producer.flush(10) == 0
