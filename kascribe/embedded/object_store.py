"""The object store of the embedded stack: an S3 server in this process, with its objects in files that stay."""

import threading
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import boto3

from kascribe.embedded.buckets import Buckets
from kascribe.embedded.index import Index
from kascribe.embedded.s3_http import S3Server
from kascribe.embedded.versions import Kept, S3Error

ACCESS_KEY: Final = "embedded"
"""Both halves of the credentials: the server accepts any, and listens on loopback only."""

POLL_SECONDS: Final = 0.1
"""Between checks whether to stop."""


class EmbeddedObjectStore:
    """Runs from construction until ``close``; listens on a free port of 127.0.0.1.

    ``directory`` belongs to the store: it serves what an earlier one stored there, and removes any other file.
    Raises ConfigurationError when that is damaged.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)  # recordings are private, whatever the umask
        self._index = Index(directory)
        try:
            self._buckets = Buckets(directory, self._index)
            self.kept: Kept = self._buckets.kept
            """What earlier stores left."""
            self._server = S3Server(("127.0.0.1", 0), self._buckets)
        except BaseException:
            self._index.close()
            raise
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="object-store", daemon=True
        )
        self._thread.start()
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_port}"

    def create_bucket(self, name: str) -> None:
        """Create the bucket, unless there is one. It keeps no old versions, which would only fill the disk."""
        session = boto3.session.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=ACCESS_KEY)
        with closing(session.client("s3", endpoint_url=self.endpoint_url, region_name="us-east-1")) as s3:
            s3.create_bucket(Bucket=name)

    def read(self, bucket: str, key: str) -> bytes | None:
        """Read a small object without a request; None when there is none. Raises OSError."""
        try:
            path = self._buckets.get(bucket, key).path
        except S3Error:
            return None
        return path.read_bytes() if path else None

    def close(self) -> None:
        """Stop serving; every object stays. Safe to repeat."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
