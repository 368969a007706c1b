"""The wiring of clients of a running system, shared by the commands and the embedded stack."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from kascribe.submission.submitter import Submitter
from producers.publisher import Publisher
from producers.uploads import Uploads
from schemas.kafka.topics import Topics
from schemas.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@contextmanager
def opened_submitter(settings: Settings, *, client: "S3Client | None" = None) -> Iterator[Submitter]:
    """Open a submitter to the system of these settings while the context lasts. ``client`` is of producers.s3."""
    with closing(Publisher(settings.kafka)) as publisher:
        yield Submitter(Uploads(settings.s3, client=client), publisher, Topics(settings.kafka.topic_prefix))
