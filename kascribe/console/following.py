"""Events of jobs as they arrive, for the commands that show them."""

from collections.abc import Iterator
from typing import Final

from consumers.kafka.follower import Follower, Start
from schemas.errors import JobError
from schemas.events import EnrichmentEvent, JobEvent, ProgressEvent, TranscriptEvent
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.kafka.wire import decode
from schemas.settings import KafkaSettings

POLL_SECONDS: Final = 0.2


def event_in(record: Record, topics: Topics) -> JobEvent | None:
    """Return the event in a record of an answer topic; None for another topic or an unreadable value."""
    kinds: dict[str, type[JobEvent]] = {
        topics.transcripts: TranscriptEvent,
        topics.enrichments: EnrichmentEvent,
        topics.progress: ProgressEvent,
    }
    kind = kinds.get(record.topic)
    if kind is None:
        return None
    try:
        return decode(record, kind)
    except JobError:
        return None


class JobFeed:
    """The events of all jobs, from ``start`` on. Belongs to one thread."""

    def __init__(self, settings: KafkaSettings, *, start: Start) -> None:
        self._topics = Topics(settings.topic_prefix)
        self._follower = Follower(settings, self._topics.answers, start=start)

    def events(self) -> Iterator[JobEvent | None]:
        """Yield each event as it arrives, without end; None whenever nothing has arrived for POLL_SECONDS."""
        while True:
            records = self._follower.records(POLL_SECONDS)
            for record in records:
                event = event_in(record, self._topics)
                if event is not None:
                    yield event
            if not records:
                yield None

    def close(self) -> None:
        """Stop following. Safe to repeat."""
        self._follower.close()
