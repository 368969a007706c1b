"""The wiring of clients of a running system, shared by the commands and the embedded stack."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from kascribe.submission import Submitter
from producers.publisher import Publisher
from producers.uploads import Uploads
from schemas.kafka.topics import Topics
from schemas.settings import Settings


@contextmanager
def opened_submitter(settings: Settings) -> Iterator[Submitter]:
    """Open a submitter to the system of these settings while the context lasts."""
    with closing(Publisher(settings.kafka)) as publisher:
        yield Submitter(Uploads(settings.s3), publisher, Topics(settings.kafka.topic_prefix))
