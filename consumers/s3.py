"""The reading side's S3 client: built from settings, with its exceptions translated to ours."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    ParamValidationError,
)

from schemas.errors import AudioForbidden, AudioNotFound, DependencyDown, InvalidEvent, JobError
from schemas.monitoring.error_causes import cause_of
from schemas.object_addresses import S3, error_of_response, remedy
from schemas.settings import S3Settings
from schemas.settings.catalogue import without_credentials
from schemas.settings.client_refusals import s3_refusal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS: Final = 3
"""botocore's attempts at one request. A store that fails three times is down, and intake pauses."""

PROBE_TIMEOUT_SECONDS: Final = 0.5
"""To connect, and to read: a probe takes about a second."""

PROBE_CONNECTIONS: Final = 2

REACH_SECONDS: Final = 3.0
"""To connect, and to read, when a command starts: its user gets an error within five seconds."""

BODY_LIMIT_BYTES: Final = 256 * 1024**2
"""Size of one stored result. A day of speech with the times of every word takes a fifth of it."""

CONNECTIONS: Final = 64
"""Size of the connection pool; covers the default thread count. Beyond it botocore opens unpooled connections."""

_log: Final = structlog.get_logger(__name__)


def create_client(settings: S3Settings, *, connections: int = CONNECTIONS) -> "S3Client":
    """Return a client for many threads. Makes no request; credentials come from the standard AWS_* places.

    Raises ConfigurationError for an invalid address or region.
    """
    return _client(settings, settings.timeout_seconds, ATTEMPTS, connections)


@contextmanager
def s3_errors(doing: str) -> Iterator[None]:
    """Translate botocore's exceptions to ours. ``doing`` begins the message: ``reading s3://audio/call.wav``."""
    try:
        yield
    except ClientError as error:
        answer = error.response
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = str(answer.get("Error", {}).get("Code", ""))
        raise error_of_response(
            status=status, code=code, message=f"{doing}: the store answered {status} {code}{remedy(code)}"
        ) from error
    except ParamValidationError as error:
        raise InvalidEvent(f"{doing}: no store has such a name: {error}") from error
    except BotoCoreError as error:
        raise DependencyDown(S3, f"{doing}: {error}{cause_of(error)}") from error


def read_result(client: "S3Client", bucket: str, key: str) -> bytes | None:
    """Return an object of the results; None when it is larger than BODY_LIMIT_BYTES. Raises as ``s3_errors``."""
    with s3_errors(f"reading s3://{bucket}/{key}"):
        answer = client.get_object(Bucket=bucket, Key=key)
        with closing(answer["Body"]) as stream:
            body = stream.read(BODY_LIMIT_BYTES + 1)
    return body if len(body) <= BODY_LIMIT_BYTES else None


class BucketProbe:
    """Checks whether the store serves a bucket, with a client that gives up within about a second. Thread-safe.

    With ``prefix``, every record needs objects below it, so that a refusal there counts as the store being down.
    Logs why the bucket cannot be used once two checks in a row have failed, and again when the cause changes.
    """

    def __init__(
        self, settings: S3Settings, bucket: str, *, prefix: str | None = None, client: "S3Client | None" = None
    ) -> None:
        """Make no request. Raises ConfigurationError for an invalid address or region."""
        self._client = client or _client(settings, PROBE_TIMEOUT_SECONDS, 1, PROBE_CONNECTIONS)
        self._bucket = bucket
        self._prefix = prefix
        self._problem: str | None = None
        self._logged: str | None = None

    def is_up(self) -> bool:
        """Return whether the store answers, accepts our credentials, has the bucket. Blocks for one request."""
        before, self._problem = self._problem, self._find_problem()
        if self._problem is None and self._logged is not None:
            _log.info("bucket can be used again", bucket=self._bucket)
            self._logged = None
        elif self._problem is not None and before is not None and self._problem != self._logged:
            _log.warning("bucket cannot be used", bucket=self._bucket, error=self._problem)
            self._logged = self._problem
        return self._problem is None

    def _find_problem(self) -> str | None:
        # HEAD has no body, so its refusal does not tell wrong credentials from credentials that may not list the
        # bucket. The answer to GET does, whatever the key; no object has this one.
        key = f"{self._prefix or ''}kascribe.probe"
        try:
            with s3_errors(f"asking for s3://{self._bucket}/{key}"):
                self._client.get_object(Bucket=self._bucket, Key=key)["Body"].close()
        except AudioForbidden as error:
            return None if self._prefix is None else str(error)
        except AudioNotFound as error:
            return str(error) if _lacks_bucket(error) else None
        except JobError as error:
            return str(error)
        return None


def _lacks_bucket(error: AudioNotFound) -> bool:
    answer = error.__cause__
    return isinstance(answer, ClientError) and answer.response.get("Error", {}).get("Code") == "NoSuchBucket"


def reach_store(settings: S3Settings) -> None:
    """Check that a store answers at all, even with a refusal. Blocks for REACH_SECONDS at most per step.

    Raises DependencyDown, which names the address and the reason.
    """
    client = _client(settings, REACH_SECONDS, 1, 1)
    try:
        client.head_bucket(Bucket=settings.bucket)
    except (EndpointConnectionError, HTTPClientError) as error:
        address = without_credentials(settings.endpoint_url or client.meta.endpoint_url)
        raise DependencyDown(
            S3, f"no object store answers at {address} (KASCRIBE_S3_ENDPOINT_URL): {error}"
        ) from error
    except (ClientError, BotoCoreError):
        pass  # the request that needs the bucket reports a refusal, or missing credentials
    finally:
        client.close()


def _client(settings: S3Settings, timeout_seconds: float, attempts: int, connections: int) -> "S3Client":
    try:
        return _unchecked_client(settings, timeout_seconds, attempts, connections)
    except (ValueError, BotoCoreError) as error:
        raise s3_refusal(error, settings) from error


def _unchecked_client(settings: S3Settings, timeout_seconds: float, attempts: int, connections: int) -> "S3Client":
    own_endpoint = settings.endpoint_url is not None
    return boto3.session.Session().client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region or ("us-east-1" if own_endpoint else None),
        config=Config(
            connect_timeout=timeout_seconds,
            read_timeout=timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=connections,
            tcp_keepalive=True,
            # Self-hosted stores rarely have a DNS name per bucket, and not all support the newer checksums.
            s3={"addressing_style": "path" if own_endpoint else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
