"""The names of topics, in one place."""

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
    """Every topic of one deployment. ``prefix`` goes before each name as it is, its separator included."""

    prefix: str = ""
    references: str = field(init=False)
    objects: str = field(init=False)
    transcripts: str = field(init=False)
    enrichments: str = field(init=False)
    progress: str = field(init=False)
    cancellations: str = field(init=False)
    redriven: str = field(init=False)
    """Marks of dead letters that went back: compacted, so that a mark outlives its letter. For `kascribe dlq`."""

    def __post_init__(self) -> None:
        names = ("references", "objects", "transcripts", "enrichments", "progress", "cancellations", "redriven")
        for name in names:
            object.__setattr__(self, name, f"{self.prefix}audio.{name}")

    @property
    def all(self) -> tuple[str, ...]:
        """Every topic of events: all but retry topics, dead-letter topics and the marks of redrives."""
        return (
            self.references,
            self.objects,
            self.transcripts,
            self.enrichments,
            self.progress,
            self.cancellations,
        )


def format_delay(delay_seconds: int) -> str:
    """``30s``, ``5m``, ``1h``: the shortest exact form, as topic names carry it."""
    for unit, size_seconds in _SECONDS.items():
        if delay_seconds and delay_seconds % size_seconds == 0:
            return f"{delay_seconds // size_seconds}{unit}"
    return f"{delay_seconds}s"


def retry_delay_seconds(topic: str) -> int | None:
    """The delay that a retry topic's name carries; None for any other topic."""
    match = re.search(rf"{re.escape(RETRY_INFIX)}(\d{{1,9}})([smh])$", topic, re.ASCII)
    return int(match[1]) * _SECONDS[match[2]] if match else None


def retry_topic(topic: str, delay_seconds: int) -> str:
    """The retry topic of one delay. ``topic`` may itself be a retry topic: the origin is used."""
    return f"{origin_topic(topic)}{RETRY_INFIX}{format_delay(delay_seconds)}"


def dead_letter_topic(topic: str) -> str:
    """Where what cannot be processed goes. ``topic`` may be a retry topic: the origin is used."""
    return f"{origin_topic(topic)}{DEAD_LETTER_SUFFIX}"


def topics_around(topics: Topics, inputs: Iterable[str], retry_delays_seconds: Iterable[int]) -> tuple[str, ...]:
    """Every topic that consumers of ``inputs`` touch: the deployment's, their retry topics, dead letters."""
    delays = tuple(retry_delays_seconds)
    retries = (retry_topic(topic, delay) for topic in inputs for delay in delays)
    return (*topics.all, *retries, *map(dead_letter_topic, topics_with_letters(topics)))


def topics_with_letters(topics: Topics) -> tuple[str, ...]:
    """The topics that have a dead-letter topic.

    An input's takes records that cannot be processed. An output's takes what stands in for an event that the
    broker refuses for its size; on ``audio.progress`` that is the last event of a job with large metadata.
    Cancellations are read as far as they are understood, and logged otherwise.
    """
    return tuple(topic for topic in topics.all if topic != topics.cancellations)


def is_retry_or_dead_letter_topic(topic: str) -> bool:
    """Whether a topic is a retry or dead-letter topic: only there are a record's history and origin believed.

    Callers write to the input topics, and could claim any history there.
    """
    return topic.endswith(DEAD_LETTER_SUFFIX) or retry_delay_seconds(topic) is not None


def shortest_retry_topic(topic: str, existing: Iterable[str]) -> str | None:
    """Of the topics that exist, the retry topic of ``topic`` with the shortest delay; None when it has none."""
    retries = [
        (delay, name)
        for name in existing
        if (delay := retry_delay_seconds(name)) is not None and origin_topic(name) == topic
    ]
    return min(retries)[1] if retries else None


def origin_topic(topic: str) -> str:
    """The topic that a retry or dead-letter topic belongs to; any other topic is its own origin."""
    return topic.split(RETRY_INFIX)[0].removesuffix(DEAD_LETTER_SUFFIX)
