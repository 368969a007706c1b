"""The reading side's S3 client: made from settings, its exceptions translated to ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    ParamValidationError,
)

from schemas.catalogue import without_credentials
from schemas.client_refusals import s3_refusal
from schemas.errors import AudioForbidden, AudioNotFound, DependencyDown, InvalidEvent, JobError
from schemas.object_addresses import S3, refusal
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS: Final = 3
"""Of one request, by botocore; a store that fails three times is down, and intake pauses."""

REACH_SECONDS: Final = 3.0
"""For a store's first answer to a command: a person waits, and is told within five seconds."""

CONNECTIONS: Final = 64
"""Kept open; more than a role has threads unless its settings say so, and beyond it connections are made anew."""


def create_client(settings: S3Settings, *, connections: int = CONNECTIONS) -> "S3Client":
    """A client for many threads. Makes no request; credentials come from the standard AWS_* places.

    Raises ConfigurationError for an address or a region that cannot be one.
    """
    return _client(settings, settings.timeout_seconds, ATTEMPTS, connections)


def create_probe_client(settings: S3Settings) -> "S3Client":
    """A client that gives up within about a second: for asking whether the store answers at all."""
    return _client(settings, 0.5, 1, 2)


@contextmanager
def s3_errors(doing: str) -> Iterator[None]:
    """Translates what botocore raises. ``doing`` begins the message: ``reading s3://audio/call.wav``."""
    try:
        yield
    except ClientError as error:
        answer = error.response
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = str(answer.get("Error", {}).get("Code", ""))
        raise refusal(status=status, code=code, message=f"{doing}: the store answered {status} {code}") from error
    except ParamValidationError as error:
        raise InvalidEvent(f"{doing}: no store has such a name: {error}") from error
    except BotoCoreError as error:
        raise DependencyDown(S3, f"{doing}: {error}") from error


def serves(client: "S3Client", bucket: str) -> bool:
    """Whether the store answers, knows our credentials and has the bucket. Blocks for one or two requests."""
    try:
        with s3_errors(f"asking for {bucket}"):
            client.head_bucket(Bucket=bucket)
    except (DependencyDown, AudioNotFound):
        return False
    except AudioForbidden:
        return _knows_us(client, bucket)
    return True


def reach_store(settings: S3Settings) -> None:
    """Returns when the store answers, whatever it says. Raises DependencyDown, which names the address and why."""
    client = _client(settings, REACH_SECONDS, 1, 1)
    try:
        client.head_bucket(Bucket=settings.bucket)
    except (EndpointConnectionError, HTTPClientError) as error:
        address = without_credentials(settings.endpoint_url or client.meta.endpoint_url)
        raise DependencyDown(
            S3, f"no object store answers at {address} (KASCRIBE_S3_ENDPOINT_URL): {error}"
        ) from error
    except (ClientError, BotoCoreError):
        pass  # what is refused, or lacks credentials, is told by the request that needs it
    finally:
        client.close()


def _knows_us(client: "S3Client", bucket: str) -> bool:
    # The answer to HEAD has no body, so it cannot say whether the credentials are wrong or only may not list. The
    # answer to GET says so, whatever the key.
    try:
        with s3_errors(f"asking for {bucket}"):
            client.get_object(Bucket=bucket, Key="kascribe", Range="bytes=0-0")["Body"].close()
    except DependencyDown:
        return False
    except JobError:
        return True
    return True


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
            # Stores of one's own rarely have a DNS name per bucket, and not all know the newer checksums.
            s3={"addressing_style": "path" if own_endpoint else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
