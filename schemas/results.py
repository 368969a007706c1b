"""Objects that are stored for a job in the bucket, and their keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import Field

from schemas.errors import Reason
from schemas.events import AudioReference, EnrichmentEvent, TranscriptEvent
from schemas.kafka.records import Coordinates
from schemas.moments import Moment
from schemas.options import ExportFormat
from schemas.transcripts.transcript import Contract

EXPORT_EXTENSIONS: Final[Mapping[ExportFormat, str]] = {
    ExportFormat.JSON: "json",
    ExportFormat.VERBOSE_JSON: "verbose.json",
    ExportFormat.TEXT: "txt",
    ExportFormat.SRT: "srt",
    ExportFormat.VTT: "vtt",
    ExportFormat.TSV: "tsv",
}


class StoredJob(Contract):
    """A finished job. The first record to store it owns it, and only that record publishes its event.

    ``owner`` is where that record was first read: a redelivery of the record has the same owner, any other record
    with the same identity has another.
    """

    schema_version: str = "1.0"
    job_id: str
    owner: Coordinates
    content_key: str
    event: TranscriptEvent
    reference: AudioReference | None = Field(default=None, description="The request; None in older objects.")


class FailedRequest(Contract):
    """A request that ended in a dead letter. The first record to store it owns it: for copies of the same request,
    such as the second notification of a dropped object, no further dead letter or event is published."""

    schema_version: str = "1.0"
    job_id: str
    owner: Coordinates
    request_digest: str
    reason: Reason
    message: str
    failed_at: Moment


class StoredEnrichment(Contract):
    """A finished enrichment in full. Owned like a job: by the first record that stored it."""

    schema_version: str = "1.0"
    job_id: str
    owner: Coordinates
    enrich_digest: str
    event: EnrichmentEvent


@dataclass(frozen=True, slots=True)
class ResultKeys:
    """Keys of all stored objects, under one prefix."""

    prefix: str

    def job(self, job_id: str) -> str:
        """Return the key of a job: a small object with its owner and the event to publish."""
        return f"{self.prefix}jobs/{job_id}.json"

    def transcript(self, content_key: str) -> str:
        """Return the key of a whole transcript, shared by all jobs with the same audio, options and model."""
        return f"{self.prefix}transcripts/{content_key}.json"

    def export(self, content_key: str, export_format: ExportFormat) -> str:
        """Return the key of a transcript in one export format; shared like the transcript."""
        return f"{self.prefix}exports/{content_key}.{EXPORT_EXTENSIONS[export_format]}"

    def failure(self, job_id: str, request_digest: str) -> str:
        """Return the key of a failed request: a small object with its owner. May be deleted at any time."""
        return f"{self.prefix}failures/{job_id}/{request_digest}.json"

    def enrichments(self, job_id: str) -> str:
        """Return the prefix of all enrichments of a job."""
        return f"{self.prefix}enrichments/{job_id}/"

    def enrichment(self, job_id: str, enrich_digest: str) -> str:
        """Return the key of a job's enrichment for one set of enrichment options."""
        return f"{self.enrichments(job_id)}{enrich_digest}.json"

    def notes(self, digest: str) -> str:
        """Return the key of the notes on one part of a long transcript. May be deleted at any time."""
        return f"{self.prefix}notes/{digest}.json"
