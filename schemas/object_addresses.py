"""Addresses of objects, the check that references may name them, and the translation of S3 errors."""

from dataclasses import dataclass
from typing import Final, Self

from schemas.errors import AudioForbidden, AudioNotFound, DependencyDown, JobError, SourceNotAllowed
from schemas.settings import S3Settings

SCHEME: Final = "s3://"
S3: Final = "s3"
"""The dependency's name, as DependencyDown carries it."""

MISSING: Final = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "KeyTooLongError", "InvalidBucketName"})
BAD_CREDENTIALS: Final = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed"}
)
BUSY: Final = frozenset({"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests"})
_REMEDIES: Final = {
    "NoSuchBucket": "create the bucket, or name another one: KASCRIBE_S3_RESULTS_BUCKET, KASCRIBE_S3_BUCKET",
    "AccessDenied": "allow these credentials to read, list and write there, in the bucket's policy",
    "RequestTimeTooSkewed": "the clocks of this machine and of the store differ: synchronize them",
    "InvalidAccessKeyId": "the store does not know the key: check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret is not the key's: check AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "renew the session token: AWS_SESSION_TOKEN",
}


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """A bucket and a key. The key is not encoded."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Parse ``s3://bucket/key``. Raises SourceNotAllowed for any other form."""
        bucket, separator, key = uri.removeprefix(SCHEME).partition("/")
        if not uri.startswith(SCHEME) or not bucket or not separator or not key:
            raise SourceNotAllowed(f"{uri[:200]!r} is not of the form s3://bucket/key; nothing was fetched")
        return cls(bucket, key)

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"{SCHEME}{self.bucket}/{self.key}"


def allowed_address(uri: str, settings: S3Settings) -> ObjectAddress:
    """Parse an address that references may name. Raises SourceNotAllowed for other addresses."""
    address = ObjectAddress.parse(uri)
    allowed = settings.allowed_buckets or (settings.bucket,)
    if address.bucket not in allowed:
        raise SourceNotAllowed(
            f"bucket {address.bucket!r} is not allowed (only {', '.join(allowed)}); nothing was fetched; "
            "KASCRIBE_S3_ALLOWED_BUCKETS widens them"
        )
    return address


def remedy(code: str) -> str:
    """Return what to do about an error code of the store, to be appended to a message; empty for most."""
    return f"; {_REMEDIES[code]}" if code in _REMEDIES else ""


def error_of_response(*, status: int, code: str, message: str) -> JobError:
    """Translate an error response of the store to the error for the record.

    ``status`` is the HTTP status, ``code`` the store's error code, which a HEAD response lacks. Wrong credentials
    affect every record, so they count as the store being down; a refusal of one object does not.
    """
    if code in BAD_CREDENTIALS or code in BUSY or status >= 500 or status in (408, 429):
        return DependencyDown(S3, message)
    if code in MISSING or status in (404, 405):
        # 405 is the status for a version that is a delete marker.
        return AudioNotFound(message)
    if status in (301, 307):
        return DependencyDown(S3, f"{message}; the bucket is in another region: set KASCRIBE_S3_REGION")
    return AudioForbidden(message)
