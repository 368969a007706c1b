"""The object store of the embedded stack: an S3 server in this process, with its objects in files."""

import shutil
import threading
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import boto3

from kascribe.embedded.buckets import Buckets
from kascribe.embedded.s3_http import S3Server

ACCESS_KEY: Final = "embedded"
"""Both halves of the credentials: the server accepts any, and listens on loopback only."""

POLL_SECONDS: Final = 0.1
"""Between checks whether to stop."""


class EmbeddedObjectStore:
    """Runs from construction until ``close``; listens on a free port of 127.0.0.1.

    ``directory`` belongs to the store: files that a crashed one left there are removed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        _remove(directory)
        directory.mkdir(parents=True, mode=0o700)  # recordings are private, whatever the umask
        self._server = S3Server(("127.0.0.1", 0), Buckets(directory))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="object-store", daemon=True
        )
        self._thread.start()
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_port}"

    def create_bucket(self, name: str) -> None:
        """Create the bucket, with versioning."""
        session = boto3.session.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=ACCESS_KEY)
        with closing(session.client("s3", endpoint_url=self.endpoint_url, region_name="us-east-1")) as s3:
            s3.create_bucket(Bucket=name)
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def close(self) -> None:
        """Stop serving and remove every object. Safe to repeat."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        _remove(self._directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _remove(directory: Path) -> None:
    # A request that is still being served may write a file during this; the next start removes what it leaves.
    shutil.rmtree(directory, ignore_errors=True)
