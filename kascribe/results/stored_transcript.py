"""A finished job's transcript, for the commands that name a job."""

from producers.results import ResultStore
from schemas.errors import ConfigurationError
from schemas.transcripts.transcript import Transcript


def stored_transcript(results: ResultStore, job_id: str) -> Transcript:
    """Return the transcript. Blocks; raises ConfigurationError when there is none, DependencyDown."""
    transcript = results.find_job_transcript(job_id)
    if transcript is None:
        raise ConfigurationError(
            f"no finished job {job_id} is in the bucket; `kascribe watch --from-beginning` shows the topic"
        )
    return transcript
