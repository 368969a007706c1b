"""MinIO in the stack: its command line, its notification targets, and buckets that notify.

Two targets are set on the same bucket and topic. The immediate one delivers in milliseconds but loses events
while Kafka is down. The queued one keeps events in a directory that it sweeps every three seconds. Together they
are fast, lose nothing as long as MinIO runs (``docs/dropping.md``), and announce every object twice.
"""

import http.client
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deploy.stack.cache import Servers
from deploy.stack.errors import StackError
from deploy.stack.state import LOOPBACK, REGION, Plan

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READY_DEADLINE_SECONDS: Final = 60.0  # 0.6 s on an idle machine
POLL_SECONDS: Final = 0.05
QUEUE_LIMIT_EVENTS: Final = 100_000  # MinIO's default; beyond it the queued target loses events


def server_command(servers: Servers, plan: Plan, directory: Path) -> list[str]:
    """Return the command that starts the server, on loopback, with the certificates of its own directory only."""
    objects, certificates = directory / "objects", directory / "certificates"
    for needed in (objects, certificates, directory / "queue"):
        needed.mkdir(parents=True, exist_ok=True)
    address = f"{LOOPBACK}:{plan.minio_port}"
    return [
        str(servers.minio),
        "server",
        "--quiet",
        "--address",
        address,
        "--certs-dir",
        str(certificates),
        str(objects),
    ]


def server_environment(plan: Plan, environment: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Return the server's whole environment; of the caller's it has only PATH."""
    settings = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(directory),
        "MINIO_ROOT_USER": environment["AWS_ACCESS_KEY_ID"],
        "MINIO_ROOT_PASSWORD": environment["AWS_SECRET_ACCESS_KEY"],
        "MINIO_BROWSER": "off",  # the console would listen on a port of its own
        "MINIO_UPDATE": "off",
    }
    for index, topic in enumerate(plan.notify_topics):
        for target in _targets(index):
            settings |= {
                f"MINIO_NOTIFY_KAFKA_ENABLE_{target}": "on",
                f"MINIO_NOTIFY_KAFKA_BROKERS_{target}": plan.bootstrap_servers,
                f"MINIO_NOTIFY_KAFKA_TOPIC_{target}": topic,
            }
        settings |= {
            f"MINIO_NOTIFY_KAFKA_QUEUE_DIR_QUEUED{index}": str(directory / "queue"),
            f"MINIO_NOTIFY_KAFKA_QUEUE_LIMIT_QUEUED{index}": str(QUEUE_LIMIT_EVENTS),
        }
    return settings


def _targets(index: int) -> tuple[str, str]:
    return f"IMMEDIATE{index}", f"QUEUED{index}"


def await_ready(plan: Plan, *, check: Callable[[], None] = lambda: None) -> None:
    """Block until the server is live. `check` raises when further waiting is pointless."""
    deadline = time.monotonic() + READY_DEADLINE_SECONDS
    while not is_live(plan):
        check()
        if time.monotonic() >= deadline:
            raise StackError(f"MinIO was not live within {READY_DEADLINE_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)


def is_live(plan: Plan) -> bool:
    """Return whether the server's health check succeeds now."""
    connection = http.client.HTTPConnection(LOOPBACK, plan.minio_port, timeout=2.0)
    try:
        connection.request("GET", "/minio/health/live")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def client(environment: Mapping[str, str]) -> "S3Client":
    """Create an S3 client of the stack; the caller closes it."""
    return boto3.client(
        "s3",
        endpoint_url=environment["KASCRIBE_S3_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}),
    )


def create_bucket(s3: "S3Client", bucket: str, *, notify_target: int | None) -> None:
    """Create a versioned bucket that announces every new object to both targets of an index. Safe to repeat."""
    try:
        if bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        if notify_target is not None:
            _announce_objects(s3, bucket, notify_target)
    except (BotoCoreError, ClientError) as error:
        raise StackError(f"MinIO did not set up the bucket {bucket}: {error}") from error


def _announce_objects(s3: "S3Client", bucket: str, notify_target: int) -> None:
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [
                {"Id": target, "QueueArn": f"arn:minio:sqs::{target}:kafka", "Events": ["s3:ObjectCreated:*"]}
                for target in _targets(notify_target)
            ]
        },
    )
