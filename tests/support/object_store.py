"""An S3 server in this process, for tests that need only a bucket."""

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from moto.server import ThreadedMotoServer

from producers.s3 import create_client
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOTO_CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
_numbers = itertools.count(1)


class ObjectStore:
    """A running S3 server. ``settings`` makes a new bucket, so that tests do not meet each other's objects."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self.client: S3Client = create_client(S3Settings(endpoint_url=endpoint_url))

    def settings(self, *, versioned: bool = False, **changed: object) -> S3Settings:
        """Create an empty bucket and return settings for it; ``changed`` replaces fields of them."""
        bucket = f"audio-{os.getpid()}-{next(_numbers)}"
        self.client.create_bucket(Bucket=bucket)
        if versioned:
            self.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        return S3Settings.model_validate({"endpoint_url": self.endpoint_url, "bucket": bucket, **changed})

    def put(
        self,
        settings: S3Settings,
        key: str,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Store an object and return its etag."""
        answer = self.client.put_object(
            Bucket=settings.bucket, Key=key, Body=body, ContentType=content_type, Metadata=metadata or {}
        )
        return answer["ETag"].strip('"')

    def keys(self, bucket: str) -> list[str]:
        """List the keys of a bucket, sorted."""
        return sorted(found["Key"] for found in self.client.list_objects_v2(Bucket=bucket).get("Contents", []))


@contextmanager
def running_object_store() -> Iterator[ObjectStore]:
    """Run moto's server on a free loopback port, until the context ends."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with credentials(MOTO_CREDENTIALS):
            yield ObjectStore(f"http://{host}:{port}")
    finally:
        server.stop()


@contextmanager
def credentials(environment: Mapping[str, str]) -> Iterator[None]:
    """Put AWS_* credentials into this process's environment, while the context lasts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in MOTO_CREDENTIALS:
            patch.setenv(name, environment[name])
        yield
