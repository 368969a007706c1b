"""Objects that are stored for a job in the bucket, and their keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import Field

from schemas.errors import Reason
from schemas.events import AudioReference, EnrichmentEvent, TranscriptEvent
from schemas.identity import enrich_digest
from schemas.kafka.records import Coordinates
from schemas.moments import Moment
from schemas.options import EnrichOptions, ExportFormat
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


class AcceptedJob(Contract):
    """A job that the gateway has accepted, stored before its reference is published: from then on the job exists,
    for every replica. The first request stores it; an equal request with the same key publishes the reference
    again, under a new ``event_id``, and renews ``accepted_at``, unless the job has finished. The reconciler stores
    it after it has published the reference of a dropped object."""

    schema_version: str = "1.0"
    job_id: str
    tenant: str
    accepted_at: Moment
    reference: AudioReference
    audio_sha256: str | None = Field(
        default=None, description="The upload's, in hexadecimal; None for an object that the request named."
    )


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
    tenant: str | None = Field(default=None, description="None in objects of older releases.")


class StoredEnrichment(Contract):
    """A finished enrichment in full. Owned like a job: by the first record that stored it."""

    schema_version: str = "1.0"
    job_id: str
    owner: Coordinates
    enrich_digest: str
    event: EnrichmentEvent
    options: EnrichOptions | None = Field(default=None, description="The request; None in older objects.")


USERS_KNOWN: Final = "users-known"
"""Metadata of a stored transcript that all its users have marked. Earlier releases left no marks."""


class DeletedJob(Contract):
    """A job that a caller deleted. What the topics still say of it from before is no longer true."""

    schema_version: str = "1.0"
    job_id: str
    deleted_at: Moment


def is_result_of(event: EnrichmentEvent, options: EnrichOptions) -> bool:
    """Return whether an enrichment is of these options: a job may have several, one for each set of options."""
    return event.results_uri.endswith(f"/{ResultKeys('').enrichment(event.job_id, enrich_digest(options))}")


@dataclass(frozen=True, slots=True)
class ResultKeys:
    """Keys of all stored objects, under one prefix."""

    prefix: str

    @property
    def probe(self) -> str:
        """The key with which a store that refused a result is asked whether it takes one again."""
        return f"{self.prefix}kascribe.probe"

    def job(self, job_id: str) -> str:
        """Return the key of a job: a small object with its owner and the event to publish."""
        return f"{self.prefix}jobs/{job_id}.json"

    def accepted(self, job_id: str) -> str:
        """Return the key of a job that the gateway has accepted."""
        return f"{self.prefix}accepted/{job_id}.json"

    def deletion(self, job_id: str) -> str:
        """Return the key of the note that a job was deleted."""
        return f"{self.prefix}deleted/{job_id}.json"

    def users(self, content_key: str) -> str:
        """Return the prefix of the marks of the jobs that use a transcript."""
        return f"{self.prefix}users/{content_key}/"

    def user(self, content_key: str, job_id: str, request_digest: str) -> str:
        """Return the key of the mark that a job uses a transcript: see ``producers.result_removal``.

        Each request for the job has its own: a job that was deleted and is requested again is another user.
        """
        return f"{self.users(content_key)}{job_id}.{request_digest}"

    def transcript(self, content_key: str) -> str:
        """Return the key of a whole transcript, shared by all jobs with the same audio, options and model."""
        return f"{self.prefix}transcripts/{content_key}.json"

    def export(self, content_key: str, export_format: ExportFormat) -> str:
        """Return the key of a transcript in one export format; shared like the transcript."""
        return f"{self.prefix}exports/{content_key}.{EXPORT_EXTENSIONS[export_format]}"

    def failures(self, job_id: str) -> str:
        """Return the prefix of all failed requests of a job."""
        return f"{self.prefix}failures/{job_id}/"

    def failure(self, job_id: str, request_digest: str) -> str:
        """Return the key of a failed request: a small object with its owner. May be deleted at any time."""
        return f"{self.failures(job_id)}{request_digest}.json"

    def enrichments(self, job_id: str) -> str:
        """Return the prefix of all enrichments of a job."""
        return f"{self.prefix}enrichments/{job_id}/"

    def enrichment(self, job_id: str, enrich_digest: str) -> str:
        """Return the key of a job's enrichment for one set of enrichment options."""
        return f"{self.enrichments(job_id)}{enrich_digest}.json"

    def rewrites(self, job_id: str) -> str:
        """Return the prefix of everything that belongs to rewritten transcripts of a job."""
        return f"{self.prefix}rewrites/{job_id}/"

    def rewrite(self, job_id: str, enrich_digest: str, name: str) -> str:
        """Return the key of an object that belongs to a rewritten transcript: its body, or an export."""
        return f"{self.rewrites(job_id)}{enrich_digest}/{name}"

    def api_keys(self) -> str:
        """Return the prefix of all API keys."""
        return f"{self.prefix}keys/"

    def api_key(self, digest: str) -> str:
        """Return the key of the object of an API key, by the SHA-256 of its secret."""
        return f"{self.api_keys()}{digest}.json"

    def usage_of(self, key_id: str, day: str | None = None) -> str:
        """Return the prefix of what an API key has used, in one day or ever. May be deleted after the day."""
        return f"{self.prefix}usage/{key_id}/" + (f"{day}/" if day else "")

    def usage(self, key_id: str, day: str, gateway: str) -> str:
        """Return the key of what one gateway has counted for an API key in one day."""
        return f"{self.usage_of(key_id, day)}{gateway}.json"

    def notes(self, digest: str) -> str:
        """Return the key of the notes on one part of a long transcript. May be deleted at any time."""
        return f"{self.prefix}notes/{digest}.json"
