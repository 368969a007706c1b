"""Clients of a running system, opened and closed: what the commands and the gateway share."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from kascribe.submission import Submitter
from producers.publisher import Publisher
from producers.results import ResultStore
from producers.uploads import Uploads
from schemas.errors import ConfigurationError
from schemas.kafka.topics import Topics
from schemas.settings import Settings
from schemas.transcripts.transcript import Transcript


@contextmanager
def opened_submitter(settings: Settings) -> Iterator[Submitter]:
    """Uploads and publishes to the system of these settings."""
    with closing(Publisher(settings.kafka)) as publisher:
        yield Submitter(Uploads(settings.s3), publisher, Topics(settings.kafka.topic_prefix))


def stored_transcript(results: ResultStore, job_id: str) -> Transcript:
    """A finished job's transcript. Raises ConfigurationError when there is none, DependencyDown."""
    job = results.find_job(job_id)
    transcript = results.find_transcript(job.content_key) if job else None
    if transcript is None:
        raise ConfigurationError(
            f"no finished job {job_id} is in the bucket; `kascribe watch --from-beginning` shows the topic"
        )
    return transcript
