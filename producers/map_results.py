"""The enricher's results in the bucket: finished enrichments with their owner, and notes that save work."""

from typing import TYPE_CHECKING

import structlog
from pydantic import ValidationError

from producers.results import ResultStore
from producers.s3 import JsonObjects, create_client
from schemas.errors import DependencyDown, InvalidEvent
from schemas.results import FailedRequest, ResultKeys, StoredEnrichment
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_log = structlog.get_logger(__name__)


class EnrichmentResults:
    """Safe to share between threads; every method blocks and is safe to repeat.

    Raises DependencyDown("s3") when the store does not serve, except for notes: those only save work.
    """

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        client = client or create_client(settings)
        self._results = ResultStore(settings, client=client)
        self._objects = JsonObjects(client, settings.results_bucket or settings.bucket)
        self._keys = ResultKeys(settings.results_prefix)

    def find_enrichment(self, job_id: str, enrich_digest: str) -> StoredEnrichment | None:
        """The finished enrichment, if there is one. Raises InvalidEvent for one that we cannot read."""
        key = self._keys.enrichment(job_id, enrich_digest)
        body = self._objects.read(key)
        return None if body is None else self._read(key, body)

    def enrichments_of(self, job_id: str) -> list[StoredEnrichment]:
        """All finished enrichments of a job, one for each set of options. Raises InvalidEvent as above."""
        keys = self._objects.keys(self._keys.enrichments(job_id))
        bodies = ((key, self._objects.read(key)) for key in keys)
        return [self._read(key, body) for key, body in bodies if body is not None]

    def create_enrichment(self, stored: StoredEnrichment) -> StoredEnrichment:
        """Stores it unless it is stored, and returns the one that is stored: compare the owners."""
        key = self._keys.enrichment(stored.job_id, stored.enrich_digest)
        return self._read(key, self._objects.claim(key, stored.model_dump_json().encode()))

    def claim_failure(self, failed: FailedRequest) -> FailedRequest:
        """See ``ResultStore.claim_failure``."""
        return self._results.claim_failure(failed)

    def results_uri(self, job_id: str, enrich_digest: str) -> str:
        """Where the enrichment is, once it is stored."""
        return self._objects.uri(self._keys.enrichment(job_id, enrich_digest))

    def find_map_result(self, digest: str) -> bytes | None:
        """Notes that were kept under this digest; None when there are none, or the store does not say."""
        try:
            return self._objects.read(self._keys.map_result(digest))
        except DependencyDown as error:
            _log.debug("notes_not_read", error=str(error))
            return None

    def put_map_result(self, digest: str, result: bytes) -> None:
        """Keeps notes. What cannot be kept is taken again when it is needed."""
        key = self._keys.map_result(digest)
        try:
            self._objects.put(key, result)
        except DependencyDown as error:
            _log.debug("notes_not_kept", error=str(error))

    def _read(self, key: str, body: bytes) -> StoredEnrichment:
        try:
            return StoredEnrichment.model_validate_json(body)
        except ValidationError as error:
            raise InvalidEvent(
                f"{self._objects.uri(key)} is no enrichment that this release reads: upgrade, or delete it"
            ) from error
