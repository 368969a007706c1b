"""The wiring of clients of a running system, shared by the commands and the embedded stack."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from consumers.metrics import new_instruments
from kascribe.process.tracing.span_queue import TRACING_METRICS
from kascribe.process.tracing.tracer import opened_tracer
from kascribe.submission.submitter import Submitter
from producers.publisher import Publisher
from producers.uploads import Uploads
from schemas.kafka.topics import Topics
from schemas.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


SPANS_SECONDS: Final = 1.0
"""A person waits at the end of a command; spans that are not sent until then are dropped."""


@contextmanager
def opened_submitter(settings: Settings, *, client: "S3Client | None" = None) -> Iterator[Submitter]:
    """Open a submitter to the system of these settings while the context lasts. ``client`` is of producers.s3."""
    with (
        opened_tracer(
            settings.tracing, new_instruments(TRACING_METRICS), role="submit", seconds_left=_shortly
        ) as tracer,
        closing(Publisher(settings.kafka)) as publisher,
    ):
        topics = Topics(settings.kafka.topic_prefix)
        yield Submitter(Uploads(settings.s3, client=client), publisher, topics, tracer=tracer)


def _shortly(_: float) -> float:
    """Return how long the end of a command waits for a collector."""
    return SPANS_SECONDS
