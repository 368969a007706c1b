"""The object store of the embedded stack: moto's S3 server, in this process, in memory.

It costs about three times an object's size while that is uploaded, so hours of video want a real store.
"""

import logging
from contextlib import closing
from types import TracebackType
from typing import Self

import boto3
from moto.server import ThreadedMotoServer

ACCESS_KEY = "embedded"
"""Both halves of the credentials: moto accepts any, and listens on loopback alone."""


class EmbeddedObjectStore:
    """Lives from construction until ``close``; listens on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        # Werkzeug logs each request at INFO, and a warning that it is no production server.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server: ThreadedMotoServer | None = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        _, port = self._server.get_host_and_port()
        self.endpoint_url = f"http://127.0.0.1:{port}"

    def create_bucket(self, name: str) -> None:
        """Makes the bucket, with versions."""
        session = boto3.session.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=ACCESS_KEY)
        with closing(session.client("s3", endpoint_url=self.endpoint_url, region_name="us-east-1")) as s3:
            s3.create_bucket(Bucket=name)
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def close(self) -> None:
        """Stops serving and forgets every object. Safe to repeat."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
