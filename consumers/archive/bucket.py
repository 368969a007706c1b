"""The results bucket as the archive reads it: bodies by address, and everything in the order of the keys."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
from pydantic import ValidationError

from consumers.s3 import BucketProbe, create_client, read_result, s3_errors
from schemas.errors import AudioForbidden, AudioNotFound, JobError
from schemas.events import EnrichmentEvent
from schemas.object_addresses import ObjectAddress
from schemas.results import StoredEnrichment
from schemas.settings import S3Settings
from schemas.transcripts.transcript import Contract, Transcript

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DocumentT = TypeVar("DocumentT", bound=Contract)

_log: Final = structlog.get_logger(__name__)


class ResultsBucket:
    """Implements ``Bodies``. Reads only below the prefix of the results. Thread-safe."""

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        self._client = client or create_client(settings)
        self._bucket = settings.results_bucket or settings.bucket
        self.prefix = settings.results_prefix
        self._probe = BucketProbe(settings, self._bucket, prefix=self.prefix, client=client)

    def transcript(self, uri: str) -> Transcript | None:
        """See ``Bodies``."""
        return self._at(uri, Transcript)

    def enrichment(self, uri: str) -> EnrichmentEvent | None:
        """See ``Bodies``."""
        stored = self._at(uri, StoredEnrichment)
        return stored.event if stored else None

    def is_up(self) -> bool:
        """See ``Bodies``."""
        return self._probe.is_up()

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Yield the keys below a prefix in order, those after one alone. Requests a page when it is needed."""
        with s3_errors(f"listing s3://{self._bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, StartAfter=after
            )
            for page in pages:
                yield from (found["Key"] for found in page.get("Contents", []))

    def find(self, key: str, kind: type[DocumentT]) -> DocumentT | None:
        """Return the document under a key; None when it is gone, or is none that this release reads."""
        body = self._read(key)
        if body is None:
            return None
        try:
            return kind.model_validate_json(body)
        except ValidationError:
            _log.warning("object is not read: it is of another release, or damaged", key=key)
            return None

    def _at(self, uri: str, kind: type[DocumentT]) -> DocumentT | None:
        try:
            address = ObjectAddress.parse(uri)
        except JobError:
            _log.warning("address is not below the results, nothing is fetched", uri=uri[:200])
            return None
        if address.bucket != self._bucket or not address.key.startswith(self.prefix):
            _log.warning("address is not below the results, nothing is fetched", uri=uri[:200])
            return None
        return self.find(address.key, kind)

    def _read(self, key: str) -> bytes | None:
        try:
            return read_result(self._client, self._bucket, key)
        except AudioNotFound:
            return None
        except AudioForbidden as error:
            _log.warning("object may not be read", error=str(error))
            return None
