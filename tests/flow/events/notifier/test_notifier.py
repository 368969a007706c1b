"""The notifier on the embedded broker: events in, verified deliveries out."""

from threading import Event
from typing import Final

from schemas.events import Phase
from schemas.kafka.dead_letters import read
from schemas.kafka.topics import dead_letter_topic
from tests.contract.notifier.webhook_receiver import OTHER_SECRET, SECRET, Receiver, receiving
from tests.flow.events.notifier.deliveries import (
    TOPICS,
    create_topics,
    notifier,
    progress,
    publish,
    transcript,
    webhooks,
)
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import committed, running
from tests.support.waiting import eventually

SECONDS: Final = 40.0
GROUP: Final = "test.notifier"


def _url(receiver: Receiver, path: str = "/") -> str:
    return f"http://127.0.0.1:{receiver.port}{path}"


def test_each_final_event_arrives_once_and_no_other_does(broker: MockCluster) -> None:
    """Transcripts, failures and cancellations, at the job's own URL or else its tenant's, and signed for it."""
    create_topics(broker)
    with receiving(Receiver()) as own, receiving(Receiver(secret=OTHER_SECRET)) as team:
        tenants = {"team": {"url": _url(team), "secret": OTHER_SECRET}}
        stage, settings = notifier(broker, webhooks(tenants=tenants))
        publish(
            broker.bootstrap_servers,
            transcript(1, _url(own), tenant="default"),
            transcript(2, None, tenant="team"),
            transcript(3, None, tenant="default"),
            progress(4, _url(own), Phase.FAILED),
            progress(5, _url(own), Phase.CANCELLED),
            progress(6, _url(own), Phase.COMPLETED),
            progress(7, _url(own), Phase.TRANSCRIBING),
        )
        with running(stage, settings) as started:
            eventually(lambda: len(own.events) == 3 and team.events, timeout_seconds=SECONDS)
            eventually(
                lambda: committed(broker.bootstrap_servers, topic=TOPICS.progress, group=GROUP)[0][0] == 4,
                timeout_seconds=SECONDS,
            )
            started.stop()
    types = {key: message["type"] for key, message in own.events.items()}
    assert sorted(types.values()) == ["job.cancelled", "job.failed", "transcript.completed"]
    (message,) = team.events.values()
    assert (message["data"]["job_id"], message["timestamp"]) == (f"{2:032x}", "2026-11-22T09:00:00+00:00")
    assert [own.unverified, team.unverified] == [[], []]


def test_events_wait_for_a_receiver_that_is_down_and_others_are_told_meanwhile(broker: MockCluster) -> None:
    """More events than the process holds at once, for a host that answers nothing, delay no other host."""
    create_topics(broker)
    with receiving(Receiver()) as gone:
        pass
    stage, settings = notifier(broker, webhooks(concurrency_limit=2))
    with receiving(Receiver()) as well:
        publish(broker.bootstrap_servers, *(transcript(number, _url(gone)) for number in range(80)))
        publish(broker.bootstrap_servers, *(transcript(number, _url(well)) for number in range(100, 110)))
        with running(stage, settings) as started:
            eventually(lambda: len(well.events) == 10, timeout_seconds=SECONDS)
            with receiving(Receiver(), port=gone.port) as back:
                eventually(lambda: len(back.events) == 80, timeout_seconds=SECONDS)
                assert set(back.taken.values()) == {1}
                assert back.most_at_once <= 2
            started.stop()


def test_a_receiver_that_hangs_takes_no_more_than_its_places(broker: MockCluster) -> None:
    """The other workers deliver to other hosts at once."""
    create_topics(broker)
    stage, settings = notifier(broker, webhooks(concurrency_limit=2, timeout_seconds=30.0))
    with receiving(Receiver(hold=Event())) as hung, receiving(Receiver()) as well:
        publish(broker.bootstrap_servers, *(transcript(number, _url(hung)) for number in range(80)))
        publish(broker.bootstrap_servers, *(transcript(number, _url(well)) for number in range(100, 110)))
        with running(stage, settings) as started:
            eventually(lambda: len(well.events) == 10, timeout_seconds=SECONDS)
            assert hung.most_at_once == 2
            assert hung.hold is not None
            hung.hold.set()
            eventually(lambda: len(hung.events) == 80, timeout_seconds=SECONDS)
            started.stop()
    assert set(hung.taken.values()) == {1}


def test_what_may_not_be_sent_is_a_dead_letter_of_webhooks(broker: MockCluster) -> None:
    """A private address, a refusal, and a tenant without a secret: each with its reason, and at once."""
    create_topics(broker)
    with receiving(Receiver(status=410)) as gone:
        settings = webhooks(secret=None, tenants={"team": {"secret": SECRET}})
        stage, running_settings = notifier(broker, settings)
        publish(
            broker.bootstrap_servers,
            transcript(1, "https://10.0.0.7/", tenant="team"),
            transcript(2, _url(gone), tenant="team"),
            transcript(3, _url(gone), tenant="other"),
        )
        with running(stage, running_settings) as started:
            letters = records_on(
                broker.bootstrap_servers, dead_letter_topic(TOPICS.webhooks), count=3, timeout_seconds=SECONDS
            )
            started.stop()
    reasons = sorted(read(letter).reason for letter in letters)
    assert reasons == ["webhook_not_allowed", "webhook_not_allowed", "webhook_refused"]
    assert len(gone.requests) == 1
