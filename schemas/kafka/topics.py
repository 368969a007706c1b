"""Names of topics."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

RETRY_INFIX: Final = ".retry."
DEAD_LETTER_SUFFIX: Final = ".dlq"
MARKS_SUFFIX: Final = ".redriven"
_SECONDS: Final = {"h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic of one deployment. ``prefix`` is prepended to each name unchanged, its separator included."""

    prefix: str = ""
    references: str = field(init=False)
    objects: str = field(init=False)
    transcripts: str = field(init=False)
    enrichments: str = field(init=False)
    progress: str = field(init=False)
    cancellations: str = field(init=False)
    deletions: str = field(init=False)
    enrich_requests: str = field(init=False)
    """Finished transcripts to enrich with further options. Apart, since other programs read the transcripts."""
    webhooks: str = field(init=False)
    """Final events of jobs that someone is told of: the notifier's own line, from which it delivers."""
    redriven: str = field(init=False)
    """Marks of redriven dead letters: compacted, so that a mark outlives its letter. For `kascribe dlq`."""

    def __post_init__(self) -> None:
        names = ("references", "objects", "transcripts", "enrichments", "progress", "cancellations", "deletions")
        for name in (*names, "redriven", "enrich_requests", "webhooks"):
            object.__setattr__(self, name, f"{self.prefix}audio.{name.replace('_', '-')}")

    @property
    def answers(self) -> tuple[str, ...]:
        """The topics on which jobs are answered."""
        return (self.transcripts, self.enrichments, self.progress)

    @property
    def all(self) -> tuple[str, ...]:
        """All topics of events: without retry topics, dead-letter topics and the marks of redrives."""
        return (
            self.references,
            self.objects,
            self.transcripts,
            self.enrich_requests,
            self.enrichments,
            self.progress,
            self.cancellations,
            self.deletions,
            self.webhooks,
        )


def format_delay(delay_seconds: int) -> str:
    """Format a delay for topic names, in the shortest exact form: ``30s``, ``5m``, ``1h``."""
    for unit, size_seconds in _SECONDS.items():
        if delay_seconds and delay_seconds % size_seconds == 0:
            return f"{delay_seconds // size_seconds}{unit}"
    return f"{delay_seconds}s"


def retry_delay_seconds(topic: str) -> int | None:
    """Return the delay in a retry topic's name; None for any other topic."""
    match = re.search(rf"{re.escape(RETRY_INFIX)}(\d{{1,9}})([smh])$", topic, re.ASCII)
    return int(match[1]) * _SECONDS[match[2]] if match else None


def retry_topic(topic: str, delay_seconds: int) -> str:
    """Return the retry topic of one delay. ``topic`` may itself be a retry topic: its origin is used."""
    return f"{origin_topic(topic)}{RETRY_INFIX}{format_delay(delay_seconds)}"


def dead_letter_topic(topic: str) -> str:
    """Return the dead-letter topic of a topic. ``topic`` may be a retry topic: its origin is used."""
    return f"{origin_topic(topic)}{DEAD_LETTER_SUFFIX}"


def topics_used_by(topics: Topics, retried: Iterable[str], retry_delays_seconds: Iterable[int]) -> tuple[str, ...]:
    """Return all topics that consumers use which retry records of ``retried``, dead-letter topics included."""
    delays = tuple(retry_delays_seconds)
    retries = (retry_topic(topic, delay) for topic in retried for delay in delays)
    return (*topics.all, *retries, *map(dead_letter_topic, topics_with_letters(topics)))


def topics_with_letters(topics: Topics) -> tuple[str, ...]:
    """Return the topics that have a dead-letter topic.

    An input's holds records that cannot be processed. An output's holds replacements of events that the broker
    rejects for their size; on ``audio.progress`` that is the last event of a job with large metadata.
    Cancellations and deletions that cannot be parsed are logged instead.
    """
    return tuple(topic for topic in topics.all if topic not in {topics.cancellations, topics.deletions})


def is_retry_or_dead_letter_topic(topic: str) -> bool:
    """Return whether a topic is a retry or dead-letter topic: only there history and origin are trusted.

    Callers write to the input topics, and could claim any history there.
    """
    return topic.endswith(DEAD_LETTER_SUFFIX) or retry_delay_seconds(topic) is not None


def shortest_retry_topic(topic: str, existing: Iterable[str]) -> str | None:
    """Return the existing retry topic of ``topic`` with the shortest delay; None when it has none."""
    retries = [
        (delay, name)
        for name in existing
        if (delay := retry_delay_seconds(name)) is not None and origin_topic(name) == topic
    ]
    return min(retries)[1] if retries else None


def origin_topic(topic: str) -> str:
    """Return the topic that a retry or dead-letter topic belongs to; any other topic is its own origin."""
    return topic.split(RETRY_INFIX)[0].removesuffix(DEAD_LETTER_SUFFIX)
