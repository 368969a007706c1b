"""The enricher's results in the bucket: finished enrichments with their owner, and notes that save work."""

from typing import TYPE_CHECKING, Final

import structlog
from pydantic import ValidationError

from producers.s3 import JsonObjects, create_client
from schemas.errors import DependencyDown, InvalidEvent
from schemas.object_addresses import S3
from schemas.results import ResultKeys, StoredEnrichment
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CREATE_ATTEMPTS: Final = 3

_log = structlog.get_logger(__name__)


class EnrichmentResults:
    """Safe to share between threads; every method blocks and is safe to repeat.

    Raises DependencyDown("s3") when the store does not serve, except for notes: those only save work.
    """

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        self._objects = JsonObjects(client or create_client(settings), settings.results_bucket or settings.bucket)
        self._keys = ResultKeys(settings.results_prefix)

    def find_enrichment(self, job_id: str, enrich_digest: str) -> StoredEnrichment | None:
        """The finished enrichment, if there is one. Raises InvalidEvent for one that we cannot read."""
        key = self._keys.enrichment(job_id, enrich_digest)
        body = self._objects.read(key)
        if body is None:
            return None
        try:
            return StoredEnrichment.model_validate_json(body)
        except ValidationError as error:
            raise InvalidEvent(
                f"{self._objects.uri(key)} is no enrichment that this release reads: upgrade, or delete it"
            ) from error

    def create_enrichment(self, stored: StoredEnrichment) -> StoredEnrichment:
        """Stores it unless somebody did, and returns the one that is stored: compare the owners."""
        key = self._keys.enrichment(stored.job_id, stored.enrich_digest)
        for _ in range(CREATE_ATTEMPTS):
            if self._objects.create(key, stored.model_dump_json().encode()):
                return stored
            found = self.find_enrichment(stored.job_id, stored.enrich_digest)
            if found is not None:
                return found
        raise DependencyDown(S3, f"{self._objects.uri(key)} could be neither created nor read")

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
