"""How far each dropped object came on its way to a transcript, so that a failure of the demo names the link."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from consumers.kafka.follower import Follower, Start
from consumers.transcriber.attempt import job_id_of
from kascribe.console.following import event_in
from schemas.errors import DependencyDown
from schemas.events import ProgressEvent, TranscriptEvent
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.notifications import parse_notification, to_reference, valid_options
from schemas.notifications.metadata import plain_metadata
from schemas.settings import KafkaSettings

READ_SECONDS: Final = 3.0
"""Without a further record for this long, the topics have been read to their ends."""

LOG_LINES: Final = 15


@dataclass
class Trail:
    """What the topics hold: announcements of each key with their jobs, each job's last phase, transcribed keys."""

    announced: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, str] = field(default_factory=dict)
    phases: dict[str, str] = field(default_factory=dict)
    transcribed: set[str] = field(default_factory=set)

    def add(self, record: Record, topics: Topics) -> None:
        """Note a record of the topic of notifications, of transcripts or of progress."""
        if record.topic == topics.objects:
            for created in parse_notification(record.value).created:
                options = valid_options(plain_metadata(created.user_metadata or {}))
                reference = to_reference(created, options, now=datetime.now(UTC))
                self.announced[created.key] += 1
                self.jobs[created.key] = job_id_of(reference)
            return
        event = event_in(record, topics)
        if isinstance(event, TranscriptEvent):
            self.transcribed.add(event.source.uri.split("/", 3)[3])
        elif isinstance(event, ProgressEvent):
            reason = f" ({event.failure.reason.value}: {event.failure.message})" if event.failure else ""
            self.phases[event.job_id] = event.phase.value + reason

    def last_seen(self, key: str) -> str:
        """Return a sentence that says how far the object came."""
        if key in self.transcribed:
            return f"{key}: its transcript is on the topic, and the demo did not read it"
        if key not in self.announced:
            return f"{key}: never announced by the object store"
        copies = f"{key}: announced {self.announced[key]} times"
        phase = self.phases.get(self.jobs[key])
        if phase is None:
            return f"{copies}, and the transcriber reported nothing about it"
        return f"{copies}; the transcriber's last report: {phase}"


def read_trail(settings: KafkaSettings) -> Trail:
    """Read the topics from their beginning. Blocks; raises DependencyDown without a broker."""
    topics = Topics(settings.topic_prefix)
    trail = Trail()
    followed = (topics.objects, topics.transcripts, topics.progress)
    with Follower(settings, followed, start=Start.BEGINNING) as follower:
        while records := follower.records(READ_SECONDS):
            for record in records:
                trail.add(record, topics)
    return trail


def report(settings: KafkaSettings, keys: Iterable[str], *, directory: Path) -> str:
    """Return how far each object came, then what is left in the demo's directory. Blocks."""
    try:
        trail = read_trail(settings)
        lines = [trail.last_seen(key) for key in keys]
    except DependencyDown as error:
        lines = [f"the topics cannot be read: {error}"]
    return "\n".join([*lines, *leftovers(directory)])


def leftovers(directory: Path) -> list[str]:
    """Return how many notifications the object store still holds, and the ends of the processes' logs.

    Refused connections are left out: an outage consists of them.
    """
    waiting = sum(1 for _ in directory.glob("stack/minio/queue/*/*.event"))
    lines = [f"notifications in MinIO's queue directory: {waiting}"]
    for log in sorted([*directory.glob("stack/*/server.log"), *directory.glob("*.log")]):
        written = log.read_text(encoding="utf-8", errors="replace").splitlines()
        telling = [line for line in written if "onnection refused" not in line]
        lines += [f"--- the end of {log.relative_to(directory)}", *telling[-LOG_LINES:]]
    return lines
