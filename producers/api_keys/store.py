"""API keys in the results bucket, each under the digest of its secret."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Final

import structlog
from pydantic import ValidationError

from producers.api_keys.key import ApiKey
from producers.api_keys.secrets import digest_of, new_secret
from producers.s3 import JsonObjects, create_client
from schemas.errors import ConfigurationError, DependencyDown
from schemas.object_addresses import S3
from schemas.results import ResultKeys
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READING_THREADS: Final = 16
_log: Final = structlog.get_logger(__name__)


class ApiKeys:
    """The stored keys. Safe to share between threads; every method blocks.

    Raises DependencyDown("s3") when the store does not serve.
    """

    def __init__(self, settings: S3Settings, *, client: "S3Client | None" = None) -> None:
        bucket = settings.results_bucket or settings.bucket
        self._objects = JsonObjects(client or create_client(settings), bucket)
        self._keys = ResultKeys(settings.results_prefix)

    def issue(self, key: ApiKey) -> str:
        """Store a new key and return its secret, which cannot be read again."""
        secret = new_secret()
        if not self._objects.create(self._keys.api_key(digest_of(secret)), _stored(key)):
            raise DependencyDown(S3, "the key was not stored; try again")
        return secret

    def find(self, digest: str) -> ApiKey | None:
        """Return the key whose secret has this digest; None when there is none that this release reads."""
        body = self._objects.read(self._keys.api_key(digest))
        return None if body is None else self._parsed(body)

    def all(self) -> list[ApiKey]:
        """Return every key, oldest first."""
        return sorted((key for _, key in self._found()), key=lambda key: (key.created_at, key.id))

    def revoke(self, key_id: str, *, now: datetime) -> ApiKey:
        """Revoke a key and return it; the moment of an earlier revocation stays.

        Raises ConfigurationError when there is no such key.
        """
        for name, key in self._found():
            if key.id == key_id:
                revoked = key if key.revoked_at else key.model_copy(update={"revoked_at": now})
                self._objects.put(name, _stored(revoked))
                return revoked
        raise ConfigurationError(f"there is no key {key_id[:64]!r}: `kascribe keys list` shows the ids")

    def _found(self) -> list[tuple[str, ApiKey]]:
        names = self._objects.keys(self._keys.api_keys())
        with ThreadPoolExecutor(READING_THREADS) as threads:
            bodies = threads.map(self._objects.read, names)
            read = [(name, self._parsed(body)) for name, body in zip(names, bodies, strict=True) if body]
        return [(name, key) for name, key in read if key is not None]

    def _parsed(self, body: bytes) -> ApiKey | None:
        try:
            return ApiKey.model_validate_json(body)
        except ValidationError:
            _log.exception("an API key in the bucket is none that this release reads")
            return None


def _stored(key: ApiKey) -> bytes:
    # A gateway of an earlier release refuses fields that it does not know, so those without a value are left out.
    return key.model_dump_json(exclude_none=True).encode()
