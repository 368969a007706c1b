"""The topics, as the documents describe them: what is on each, its writers and its readers."""

from dataclasses import dataclass
from typing import Final, Literal

from schemas.events import (
    AudioReference,
    CancellationEvent,
    EnrichmentEvent,
    ProgressEvent,
    TranscriptEvent,
)
from schemas.kafka.deletions import DeletionEvent
from schemas.kafka.topics import Topics, dead_letter_topic, retry_topic, topics_with_letters
from schemas.settings.webhooks import WebhooksSettings

NOTIFICATION: Final = "ObjectNotification"
RETRIED: Final = "RetriedRecord"
DEAD_LETTER: Final = "DeadLetter"
OVERSIZE_LETTER: Final = "OversizeLetter"
OVERSIZE_SUMMARY: Final = (
    "The broker refused an event for its size. It has no value; its headers say what it was made of."
)
_TOPICS: Final = Topics()


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic. ``actions`` are what Kascribe does there, ``further`` are other messages on it."""

    name: str
    address: str
    message: str
    key: str
    meaning: str
    actions: tuple[Literal["send", "receive"], ...]
    title: str
    further: tuple[str, ...] = ()

    @property
    def messages(self) -> tuple[str, ...]:
        """The messages that may be on it."""
        return (self.message, *self.further)


CHANNELS: Final = (
    Channel(
        "references",
        _TOPICS.references,
        AudioReference.__name__,
        "Chosen by the publisher; ours is the job's id.",
        "Please transcribe this object.",
        ("receive", "send"),
        "Reference to audio",
    ),
    Channel(
        "objects",
        _TOPICS.objects,
        NOTIFICATION,
        "Chosen by the object store; ours is `bucket/key`.",
        "Bucket notifications as they are: MinIO, RustFS, Ceph, AWS (direct, or in SNS, SQS, EventBridge). "
        "One about several objects is split: one for each goes back on the topic.",
        ("receive", "send"),
        "Bucket notification",
    ),
    Channel(
        "enrichRequests",
        _TOPICS.enrich_requests,
        TranscriptEvent.__name__,
        "The job's id.",
        "A finished transcript, to be enriched as its `enrich` says: `kascribe enrich --all`.",
        ("receive", "send"),
        "Request for an enrichment",
    ),
    Channel(
        "webhooks",
        _TOPICS.webhooks,
        TranscriptEvent.__name__,
        "The job's id.",
        "A final event of a job that a webhook tells of, as it is on its own topic.",
        ("send", "receive"),
        "Event for a webhook",
        further=(EnrichmentEvent.__name__, ProgressEvent.__name__),
    ),
    Channel(
        "transcripts",
        _TOPICS.transcripts,
        TranscriptEvent.__name__,
        "The job's id.",
        "A job is transcribed. Long bodies are in the bucket, at `transcript_uri`.",
        ("send", "receive"),
        "Transcript",
    ),
    Channel(
        "enrichments",
        _TOPICS.enrichments,
        EnrichmentEvent.__name__,
        "The job's id.",
        "What the language model made of a transcript.",
        ("send",),
        "Enrichment",
    ),
    Channel(
        "progress",
        _TOPICS.progress,
        ProgressEvent.__name__,
        "The job's id.",
        "How far a job is: best effort, with one reliable last event.",
        ("send",),
        "Progress of a job",
    ),
    Channel(
        "cancellations",
        _TOPICS.cancellations,
        CancellationEvent.__name__,
        "The job's id.",
        "A caller cancels a job, or its own references to it.",
        ("receive", "send"),
        "Cancellation",
    ),
    Channel(
        "deletions",
        _TOPICS.deletions,
        DeletionEvent.__name__,
        "The job's id.",
        "A caller has deleted a job: copies of its transcript elsewhere are to be deleted too.",
        ("send", "receive"),
        "Deletion",
    ),
)
FAILURE_CHANNELS: Final = (
    Channel(
        "retries",
        "{topic}.retry.{delay}",
        RETRIED,
        "As it was.",
        "A record that failed for a reason that may pass, until it is due again.",
        ("send", "receive"),
        "Record to be tried again",
    ),
    Channel(
        "deadLetters",
        "{topic}.dlq",
        DEAD_LETTER,
        "As it was.",
        "A record that cannot be processed, unchanged, with the reason in its headers.",
        ("send",),
        "Dead letter",
        further=(OVERSIZE_LETTER,),
    ),
)
RETRIED_TOPICS: Final = (
    _TOPICS.references,
    _TOPICS.objects,
    _TOPICS.transcripts,
    _TOPICS.enrich_requests,
    _TOPICS.webhooks,
)
REFUSED_TOPICS: Final = topics_with_letters(_TOPICS)


def topic_rows(retry_delays_seconds: tuple[int, ...]) -> list[tuple[str, str, str, str, str]]:
    """Return a row per topic: topic, value, key, actions, meaning; the retry and dead-letter topics last."""
    rows = [
        (f"`{each.address}`", ", ".join(each.messages), each.key, ", ".join(each.actions), each.meaning)
        for each in CHANNELS
    ]
    retried, refused = FAILURE_CHANNELS
    for topic in RETRIED_TOPICS:
        own = WebhooksSettings().retry_delays_seconds if topic == _TOPICS.webhooks else retry_delays_seconds
        names = ", ".join(f"`{retry_topic(topic, delay)}`" for delay in own)
        rows.append(_failure_row(names, retried))
    rows += [_failure_row(f"`{dead_letter_topic(topic)}`", refused) for topic in RETRIED_TOPICS]
    outputs = ", ".join(f"`{dead_letter_topic(each)}`" for each in REFUSED_TOPICS if each not in RETRIED_TOPICS)
    return [*rows, (outputs, OVERSIZE_LETTER, "As it was.", "send", OVERSIZE_SUMMARY)]


def _failure_row(names: str, channel: Channel) -> tuple[str, str, str, str, str]:
    return (names, channel.message, channel.key, ", ".join(channel.actions), channel.meaning)
